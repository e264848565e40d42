"""The intermediate representations: the QONNX model and the hardware graph."""
