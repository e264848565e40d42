"""The same network on this machine's CPU and GPU, measured: what an FPGA is to be better than."""
