"""Processes that pass tokens through FIFOs: what they do, which depths suffice, and a model."""
