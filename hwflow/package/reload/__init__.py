"""Weights that are written while a block runs: the arrays, their images, and what fits them."""
