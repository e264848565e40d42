"""Designs: compiled from a model, written to a folder, opened from one, and verified."""
