"""Passes on the hardware graph; none of them changes an output bit."""
