"""Lowering: one walk over the nodes of the QONNX model builds the hardware graph."""
