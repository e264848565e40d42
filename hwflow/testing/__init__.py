"""Assertions about designs for test suites, the pytest plugin, and the operator workbench."""

from hwflow.testing.assertions import assert_exact, assert_faithful, assert_fits, assert_lossless

__all__ = ["assert_exact", "assert_faithful", "assert_fits", "assert_lossless"]
