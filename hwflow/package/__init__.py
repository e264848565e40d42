"""Blocks for integrators: a written project with a bus around it, a description and a proof."""
