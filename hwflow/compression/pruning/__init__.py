"""Pruning: what is worth its hardware stays, the rest leaves the network."""
