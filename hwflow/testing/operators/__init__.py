"""Tools for those who write operators: a skeleton to start from, and a check of the result."""
