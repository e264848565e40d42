"""Passes on the QONNX model."""
