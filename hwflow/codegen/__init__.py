"""The hls4ml project: from the hardware graph to files in memory."""
