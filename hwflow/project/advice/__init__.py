"""What would make a design smaller: only what the estimator, run on the change, shows to help."""
