"""From a model to a design and its folder, and back from a folder: compile, write, open, verify."""
