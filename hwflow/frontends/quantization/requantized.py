"""``quantize`` of a model that is quantised already: fewer bits than it was trained with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.quantization.cost import Cost, LayerCost, layer_sqnr, output_costs
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.requantization import Network
from hwflow.frontends.quantization.samples import Samples, split
from hwflow.frontends.quantization.settings import Settings, unknown_names
from hwflow.frontends.quantization.trained import activations_of, quantizes, weights_of
from hwflow.frontends.quantization.trained_layers import prepare_trained, real_weights
from hwflow.frontends.quantization.trial import refusals
from hwflow.frontends.quantization.weights import feeding
from hwflow.ir.qonnx.model import QonnxModel, printable

FLOAT_ONLY = ("equalize", "bias_correction", "asymmetric")
"""Settings that would change what a trained network has fixed."""


def requantize(
    model: QonnxModel, data: Any, settings: Settings, progress: Callable[[str, float], None]
) -> tuple[QonnxModel, Cost]:
    """Return a trained network with fewer bits, and what it lost against itself.

    Args:
        model: quantised.
        data: what ``quantize`` takes.
        settings: bits; those of a layer are at most the trained ones.
        progress: called as stages go on.

    Raises:
        CompileError: HW312 or HW315, the settings do not fit the model; the data does not fit it;
            or what ``compile`` would refuse of the result.
    """
    check_trained(settings, model.source)
    trained = prepare_trained(model)
    samples = split(trained, data)
    _check_bits(trained, settings)
    network = Network(trained, real_weights(trained), samples.calibration)
    after, made_up = network.with_fewer(settings, lambda done: progress("weights", done))
    if found := refusals(after):
        raise CompileError(found)
    progress("measure", 0.0)
    cost = _cost(network, after, samples, settings, made_up)
    progress("measure", 1.0)
    return after, cost


def check_trained(settings: Settings, source: str) -> None:
    """Refuse settings that a trained network has no use for.

    Raises:
        CompileError: HW315.
    """
    given = [f"--{name.replace('_', '-')}" for name in FLOAT_ONLY if getattr(settings, name)]
    given += [f"--method {settings.method}"] * (settings.method != "mse")
    if given:
        raise CompileError([_of_floats(given, source)])


def _of_floats(given: list[str], source: str) -> Diagnostic:
    return Diagnostic(
        code="HW315", title="options for float models", where=f"in {printable(source)}",
        found=", ".join(given), supported="--bits, --per-channel, --scale, --independent",
        help="leave them out: the model is quantised, and its ranges stay as they were trained",
    )  # fmt: skip


def beyond_trained(name: str, asked: int, trained: int, option: str) -> Diagnostic:
    """Return HW316, about more bits than a layer was trained with."""
    return Diagnostic(
        code="HW316", title="more bits than were trained", where=option,
        found=f"{printable(name)}: {asked} bits, trained with {trained}",
        supported=f"up to {trained}",
        help=f"ask for {trained} bits or fewer: what was rounded away in training stays away",
    )  # fmt: skip


def _check_bits(model: QonnxModel, settings: Settings) -> None:
    """Refuse bits of layers that are not there, or that have fewer."""
    weights, quantizers = weights_of(model), activations_of(model)
    values = {name for q in quantizers for name in q.names}
    findings = list(unknown_names(settings, set(weights), values))
    most = {f"{name}.w": bits for name, bits in weights.items()}
    most |= {f"{name}.a": q.bits for q in quantizers for name in q.names}
    findings += [
        beyond_trained(name, bits, most[name], "--bits")
        for name, bits in settings.overrides.items()
        if bits > most.get(name, bits)
    ]
    if findings:
        raise CompileError(findings)


def _cost(
    network: Network, after: QonnxModel, samples: Samples, settings: Settings,
    made_up: frozenset[str],
) -> Cost:  # fmt: skip
    """Return what the layers and outputs lost."""
    trained = weights_of(network.model)
    layers = [la for la in layers_of(network.real) if la.name in trained]
    names = [layer.output.name or "" for layer in layers]
    ratios = layer_sqnr(network.real, after, samples.held_out, names)
    inputs = _input_bits(network.model, settings)
    scales = {layer.node.name: layer.scales for layer in layers_of(after)}
    return Cost(
        tuple(
            LayerCost(
                name=layer.name,
                operator=layer.node.op_type,
                weight_bits=min(settings.weight(frozenset({layer.name})), trained[layer.name]),
                input_bits=inputs.get(layer.node.name or "", 0),
                scales=scales[layer.node.name],
                compensated=(layer.node.name or "") in made_up,
                sqnr_db=ratio,
            )
            for layer, ratio in zip(layers, ratios, strict=True)
        ),
        output_costs(network.model, after, samples.held_out, samples.labels),
        _size(samples.calibration),
        _size(samples.held_out),
        "trained",
    )


def _size(inputs: Mapping[str, Any]) -> int:
    return len(next(iter(inputs.values())))


def _input_bits(model: QonnxModel, settings: Settings) -> dict[str, int]:
    """Return the most bits of what enters each layer, by the name of its node."""
    bits = {q.node.name: min(settings.activation(q.names), q.bits) for q in activations_of(model)}
    return {
        layer.node.name or "": max(
            (bits[n.name] for n in feeding(layer.node, quantizes) if n.name in bits), default=0
        )
        for layer in layers_of(model)
    }
