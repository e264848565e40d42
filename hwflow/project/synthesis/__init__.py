"""Vendor tools and a design: run on a written project, and their reports held against it."""
