"""The hls4ml project of a hardware graph."""
