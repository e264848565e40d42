"""Blocks in the catalogues of other tools: FuseSoC, edalize, LiteX, hls4ml."""
