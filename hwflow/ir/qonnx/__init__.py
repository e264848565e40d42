"""The QONNX level: the model, its quantisers, and what is written beside them."""
