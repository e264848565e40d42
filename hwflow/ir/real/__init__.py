"""Exact real functions of an integer: what stands between two integer tensors of a model."""
