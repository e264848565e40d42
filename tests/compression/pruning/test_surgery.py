"""Channels that leave, against the same network with zeros in their place."""

import numpy as np
import pytest

import hwflow
from hwflow.compression.pruning.channels import channels_of
from hwflow.compression.pruning.surgery import masked, reduced, without
from hwflow.frontends.quantization.layers import layers_of
from hwflow.ir.qonnx.model import QonnxModel
from tests.compression.pruning.networks import NETWORKS, inputs, network, outputs


def weights_of(model: QonnxModel) -> dict[str, np.ndarray]:
    return {layer.node.name or "": layer.matrix() for layer in layers_of(model)}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_the_network_with_zeros(name: str, seed: int) -> None:
    model, rng = network(name, seed), np.random.default_rng(seed)
    found = channels_of(model)
    assert found.free
    leaving = [c for c in found.free if rng.random() < 0.4]
    for use in found.uses.values():  # a channel of every layer stays
        if set(use.makes.tolist()) <= set(leaving):
            leaving.remove(int(use.makes[0]))
    assert leaving
    data, zeros, less = inputs(model), masked(found, leaving), without(found, leaving)
    wanted = outputs(zeros, data)
    assert not np.array_equal(wanted, outputs(model, data))
    assert np.array_equal(outputs(less, data), wanted)  # whole numbers: exact in any order
    before, after = (sum(w.size for w in weights_of(m).values()) for m in (model, less))
    live = sum(int((w != 0).sum()) for w in weights_of(zeros).values())
    assert live <= after < before


@pytest.mark.parametrize("name", NETWORKS)
def test_real_weights_give_the_same_up_to_the_order_of_sums(name: str) -> None:
    model, rng = network(name), np.random.default_rng(3)
    for layer in layers_of(model):
        layer.set_matrix(layer.matrix() * rng.normal(size=layer.matrix().shape))
    found = channels_of(model)
    data, leaving = inputs(model), found.free[:2]
    zeros, less = outputs(masked(found, leaving), data), outputs(without(found, leaving), data)
    # each result is a sum of at most 200 float32 terms at each of five layers
    np.testing.assert_allclose(less, zeros, atol=1e-4 * float(np.abs(zeros).max()), rtol=0)


def test_a_residual_addition_makes_channels_one() -> None:
    found = channels_of(network("residual"))
    sizes = [len(use.makes) for use in found.uses.values()]
    assert sizes == [4, 3, 4, 3, 4, 3]
    assert len(found.free) == 4 + 3 + 3  # the layers around which values go share theirs


def test_outputs_and_inputs_stay() -> None:
    found = channels_of(network("mlp"))
    assert len(found.free) == 8 + 7 + 5
    last = list(found.uses.values())[-1]
    assert not set(last.makes.tolist()) & set(found.free)


def test_what_is_not_followed_stays() -> None:
    model = network("flat")
    (pool,) = (n for n in model.ir.graph if n.op_type == "MaxPool")
    pool.op_type = "LpPool"
    assert len(channels_of(model).free) == 5


def test_a_channel_that_another_layer_makes_too_is_not_dead() -> None:
    model = network("residual")
    first = next(layers_of(model))
    matrix, bias = first.matrix(), first.bias()
    assert bias is not None
    matrix[:, -1], bias = 0.0, np.append(bias[:-1], 0.0)
    first.set_matrix(matrix)
    first.set_bias(bias)
    assert reduced(model) is model


@pytest.mark.parametrize("name", ["mlp", "flat", "concat"])
def test_dead_channels_leave_without_a_change(name: str) -> None:
    model = network(name)
    first, *_, last = layers_of(model)
    dead = first.matrix()
    dead[:, -1] = 0.0
    first.set_matrix(dead)
    bias = first.bias()
    if bias is not None:
        first.set_bias(np.append(bias[:-1], 0.0))
    unread = last.matrix()
    size = unread.shape[2] // len(channels_of(model).uses[last.node.name or ""].reads)
    unread[..., :size] = 0.0
    last.set_matrix(unread)
    less, data = reduced(model), inputs(model)
    shapes = [[w.shape for w in weights_of(m).values()] for m in (model, less)]
    assert shapes[0] != shapes[1]
    assert np.array_equal(outputs(less, data), outputs(model, data))


def test_reduced_networks_are_quantised_and_built() -> None:
    model = network("concat")
    found = channels_of(model)
    less = without(found, found.free[::3])
    quantized = hwflow.quantize(less, inputs(model, 60))
    assert hwflow.compile(quantized.model, io_type="io_stream").estimate().total.lut.value > 0
