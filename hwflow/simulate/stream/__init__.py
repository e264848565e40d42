"""Streams of samples through a graph, in constant memory."""
