"""The hardware graph as an ONNX model that stock ONNX Runtime runs bit for bit."""
