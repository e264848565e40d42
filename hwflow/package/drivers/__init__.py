"""Drivers of blocks, and the board made of software that they are tried on."""
