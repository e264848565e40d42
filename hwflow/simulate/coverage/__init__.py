"""What data did to a hardware graph: what it reached, what it clipped, layer by layer."""
