"""Test vectors: what enters and leaves the hardware, for benches in C++, Python and Verilog."""
