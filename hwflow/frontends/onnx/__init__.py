"""ONNX and QONNX models of strangers: read, checked and brought to one form."""
