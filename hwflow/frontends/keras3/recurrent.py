"""Recurrent layers of HGQ, unrolled with the quantisers of their cells; Keras' Bidirectional."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwflow.frontends.keras.activations import activate
from hwflow.frontends.keras.arguments import check_settings
from hwflow.frontends.keras.cells import Cell, Step, gru, nothing, simple
from hwflow.frontends.keras.layers import Convert
from hwflow.frontends.keras.recurrent import CELLS, both_ways, one_result, unrolled
from hwflow.frontends.keras.tensor import FloatArray, Tensor
from hwflow.frontends.keras.weights import write_on_grid
from hwflow.frontends.keras.writer import Writer
from hwflow.frontends.keras3.layer import FileLayer
from hwflow.frontends.keras3.quantizers import FixedQuantizer, read_quantizer
from hwflow.ir.qonnx.model import printable


def _quantizer(b: Writer, layer: FileLayer, role: str) -> FixedQuantizer | None:
    """Return a quantiser of a cell."""
    config = layer.settings.get(f"{role}_conf")
    return None if config is None else read_quantizer(b, config, layer.group / "cell" / role)


def _step(b: Writer, layer: FileLayer, role: str) -> Step:
    """Return what a quantiser of a cell appends."""
    one = _quantizer(b, layer, role)
    return nothing if one is None else one.write


def _of_states(b: Writer, layer: FileLayer, role: str) -> Step:
    """Return a quantiser of what is zero in the first step, which it has to keep.

    Raises:
        RefusedError: HW382, it does not.
    """
    one = _quantizer(b, layer, role)
    if one is None:
        return nothing
    if np.any(one.values(np.zeros((1, int(layer.units)), np.float32))):
        raise b.refusal(
            "quantiser that turns the first state, which is zero, into another", code="HW382",
            found=f"{role}_conf with affine={one.affine}", supported="quantisers that keep 0",
            help=f"train with {role}_conf=QuantizerConfig('kif')",
        )  # fmt: skip
    return one.write


def _values(b: Writer, layer: FileLayer, role: str, array: FloatArray) -> FloatArray:
    """Return quantised weights."""
    one = _quantizer(b, layer, role)
    return array if one is None else one.values(array)


def _check_ends(b: Writer, layer: FileLayer) -> None:
    if layer.settings.get("enable_oq"):
        raise b.refusal(  # HGQ2 0.2: a cell returns its states, too, which its quantiser cannot be
            "quantiser at the results of a recurrent layer", found="enable_oq=True",
            supported="enable_oq=False", help="put a Quantizer layer behind it",
        )  # fmt: skip


def _weighted(b: Writer, layer: FileLayer, x: list[Tensor], bias: FloatArray | None) -> Tensor:
    """Append the quantised inputs of all steps, times the quantised kernel, and the bias."""
    _check_ends(b, layer)
    source = b.keras(x[0])
    if layer.settings.get("enable_iq"):
        source = _step(b, layer, "iq")(b, source)
    kernel = _values(b, layer, "kq", layer.kernel)
    name = b.node("MatMul", [source.name, write_on_grid(b, "kernel", kernel)])
    if bias is not None:
        name = b.node("Add", [name, write_on_grid(b, "bias", bias)])
    return Tensor(name, (source.shape[0], int(kernel.shape[1])))


def _simple(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """``h' = activation(paq(iq(x) kq(W) + bq(b) + sq(h) rkq(R)))``.

    A file has ``sq_conf`` where there is that quantiser; ``enable_sq`` HGQ2 0.2 does not write.
    """
    before = _step(b, layer, "paq")
    recurrent = _values(b, layer, "rkq", layer.recurrent_kernel)
    bias = _values(b, layer, "bq", layer.bias) if layer.use_bias else None
    cell = Cell(
        b=b, units=int(layer.units), gates=write_on_grid(b, "recurrent", recurrent),
        state=_of_states(b, layer, "sq"),
        activation=lambda b, t: activate(b, before(b, t), layer.activation),
    )  # fmt: skip
    return unrolled(layer, _weighted(b, layer, x, bias), cell, simple, 1)


def _gru(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """Keras' GRU of quantised inputs, weights and states.

    ``praq`` stands behind the function of the gates, ``paq`` behind that of the new state, and
    ``rhq`` where the state before meets the reset gate.
    """
    size, after = 2 * int(layer.units), bool(layer.reset_after)
    recurrent = _values(b, layer, "rkq", layer.recurrent_kernel)
    biases = _values(b, layer, "bq", layer.bias) if layer.use_bias else None
    inner, first = None, ""
    if biases is not None and after:
        parts = (biases[1][:size], biases[1][size:])
        inner = (write_on_grid(b, "inner", parts[0]), write_on_grid(b, "inner", parts[1]))
        first = write_on_grid(b, "first", _values(b, layer, "rhq", parts[1][None])[0])
    gates, behind = _step(b, layer, "praq"), _step(b, layer, "paq")
    cell = Cell(
        b=b, units=int(layer.units), reset_after=after, inner=inner, first=first,
        gates=write_on_grid(b, "recurrent", recurrent[:, :size]),
        candidate=write_on_grid(b, "recurrent", recurrent[:, size:]),
        state=_of_states(b, layer, "sq"), reset=_of_states(b, layer, "rhq"),
        activation=lambda b, t: behind(b, activate(b, t, layer.activation)),
        recurrent_activation=lambda b, t: gates(b, activate(b, t, layer.recurrent_activation)),
    )  # fmt: skip
    bias = None if biases is None else biases[0] if after else biases
    return unrolled(layer, _weighted(b, layer, x, bias), cell, gru, 1)


HGQ_RECURRENT: dict[str, Convert] = {"QSimpleRNN": one_result(_simple), "QGRU": one_result(_gru)}
"""Recurrent layers of HGQ, by class name."""


def bidirectional(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """Append two layers of Keras or HGQ, of which one reads the sequence backwards.

    Raises:
        RefusedError: HW281, they are not of one known class; and what their conversion finds.
    """
    configs = [layer.settings[name] for name in ("layer", "backward_layer")]
    found = {(str(c["class_name"]), str(c.get("registered_name")) != "None") for c in configs}
    kind, of_hgq = next(iter(found))
    known = HGQ_RECURRENT if of_hgq else {k: c for k, c in CELLS.items() if k[0] != "Q"}
    if len(found) > 1 or kind not in known:
        raise b.refusal(
            "layers that a Bidirectional cannot have",
            found=", ".join(sorted(printable(kind) for kind, _ in found)),
            supported=f"twice one of {', '.join(known)}",
        )  # fmt: skip
    pair = [_part(b, kind, c, layer, way) for c, way in zip(configs, _WAYS, strict=True)]
    return both_ways(b, (pair[0], pair[1]), x, known[kind], layer.settings.get("merge_mode"))


_WAYS = ("forward_layer", "backward_layer")


def _part(b: Writer, kind: str, config: Any, layer: FileLayer, way: str) -> FileLayer:
    check_settings(b, kind, config["config"])
    return FileLayer.of(kind, config["config"], layer.group / way)
