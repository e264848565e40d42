"""From the QONNX model to the hardware graph: one walk over its nodes."""
