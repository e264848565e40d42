"""A network in a test suite: what must hold of it, with hwflow's pytest plugin."""

from pathlib import Path

import pytest

from hwflow.testing.assertions import assert_faithful, assert_fits, assert_lossless

EXAMPLES = Path(__file__).parents[1]
MODEL, DATA = EXAMPLES / "digits_mlp.onnx", EXAMPLES / "digits.npz"


@pytest.fixture
def network(hwflow_verify):
    """Return the network verified; compiled and run once for all tests."""
    return hwflow_verify(MODEL, DATA, board="pynq-z2", limits={"min_accuracy": "95%"})


def test_every_bit_of_the_cpp_is_the_simulations(network):
    assert_faithful(network)


def test_the_hardware_computes_what_was_trained(network):
    assert_lossless(network)


def test_it_fits_the_board(network):
    assert_fits(network, "zcu104")


def test_the_limits_hold(network):
    assert [check.name for check in network.checks if not check.passed] == []
