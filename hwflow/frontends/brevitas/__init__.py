"""Live torch modules with Brevitas layers."""
