"""Settings chosen for a model: the optimum of the estimate within budgets, proven."""
