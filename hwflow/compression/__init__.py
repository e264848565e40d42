"""Compression by training: learned bits, pruning and distillation, each ending in hardware."""
