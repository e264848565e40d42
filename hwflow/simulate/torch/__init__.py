"""The golden model on torch tensors, on the CPU or on CUDA."""
