"""Computing a network: in numpy, ONNX Runtime, torch and compiled C++, on streams of any size."""
