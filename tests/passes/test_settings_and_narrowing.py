"""A type that the user sets is there before constants are narrowed to what it can tell."""

import numpy as np

import hwflow
from tests.fixtures import model
from tests.networks import Builder


def test_a_finer_result_than_the_models_keeps_the_whole_bias() -> None:
    b = Builder(np.random.default_rng(1))
    x = b.quant("x", 6, 1 / 8, signed=True)
    x = b.node("MatMul", [x, b.weight((4, 3), 4, 1 / 8)])
    x = b.node("Add", [x, b.constant(np.array([0.1234567, -0.7654321, 0.3333333]))])
    x = b.quant(x, 4, 1 / 4, signed=True)
    network = model(b, x, (1, 4), (1, 3))
    coarse = hwflow.compile(network)
    (name,) = (n.name for n in coarse.graph.nodes if n.op.kind == "Dense")
    fine = hwflow.compile(
        network, config={"layer": {name: {"result_t": "fixed<32,4,RND_CONV,SAT>"}}}
    )
    narrow, whole = (d.graph.by_name[name].op.bias.dtype.width for d in (coarse, fine))
    assert narrow < 12
    assert whole > 20
