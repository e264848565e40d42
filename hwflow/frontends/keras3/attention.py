"""HGQ's multi-head attention: four quantised projections, two products and a softmax between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hwflow.frontends.keras.layers import Convert
from hwflow.frontends.keras.products import product
from hwflow.frontends.keras.tensor import Tensor
from hwflow.frontends.keras.writer import Writer
from hwflow.frontends.keras3.hgq import einsum_dense_layer, softmax_layer
from hwflow.frontends.keras3.layer import FileLayer

PROJECTION, OUTPUT = "btc,chd->bthd", "bthd,hdm->btm"
SCORES, COMBINATION = "bshd,bthd->bhts", "bhts,bshd->bthd"
SHORTER = "btc,ts->bsc"
"""Equations of ``hgq/layers/attn`` (HGQ2 0.2) for sequences: *b* is the batch, *t* and *s* are
places, *h* heads, *c* channels, *d* those of a head, *m* those of the result."""


OPERANDS = ("query", "value", "key")


def attention(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """Append ``QMultiHeadAttention`` of a query, a value and a key."""
    query, value, key = x
    _check(b, layer, x)
    shared = {"kv": ("key", "value"), "qkv": ("query", "key", "value")}
    fused = shared.get(str(layer.settings.get("fuse") or "none"), ())
    q = _project(b, layer, "query", query, fused)
    k = _project(b, layer, "key", key, fused)
    v = _project(b, layer, "value", value, fused)
    scores = _within(b, "scores", lambda: product(b, SCORES, [k, q]))
    weights = _within(b, "softmax", lambda: _softmax(b, layer, scores))
    heads = _within(b, "heads", lambda: product(b, COMBINATION, [weights, v]))
    settings = {
        **_quantizers(layer, enable_iq=True, enable_oq=bool(layer.settings.get("enable_oq"))),
        "equation": OUTPUT, "bias_axes": "m" if layer.use_bias else None,
    }  # fmt: skip
    last = FileLayer.of("QEinsumDense", settings, layer.group / "output_dense")
    return _within(b, "output", lambda: einsum_dense_layer(b, last, [heads]))


def linformer(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """Append ``QLinformerAttention``: attention to a few learned mixtures of the places."""
    if str(layer.settings.get("lin_kv_proj_mode") or "dense") != "dense":
        raise b.refusal(
            "attention with tables", found=f"lin_kv_proj_mode={layer.lin_kv_proj_mode!r}"
        )
    query, value, key = x
    _check(b, layer, x)
    key = _shortened(b, layer, "lin_k", key)
    name = "lin_k" if layer.settings.get("share_kv_proj") else "lin_v"
    value = _shortened(b, layer, name, value)
    return attention(b, layer, [query, value, key])


def _shortened(b: Writer, layer: FileLayer, name: str, x: Tensor) -> Tensor:
    """Append the product with mixtures of places; the file tells which ends have a quantiser."""
    group = layer.group / f"_{name}_proj"
    settings = {
        **_quantizers(layer, enable_iq=group.has("iq"), enable_oq=group.has("oq")),
        "equation": SHORTER, "bias_axes": None,
    }  # fmt: skip
    part = FileLayer.of("QEinsumDense", settings, group)
    return _within(b, name, lambda: einsum_dense_layer(b, part, [x]))


def in_order(b: Writer, roles: Sequence[str | int], x: list[Tensor]) -> list[Tensor]:
    """Return query, value and key of a call: the value is the query, the key the value by default.

    Args:
        b: for messages.
        roles: name or position of each operand.
        x: the operands.

    Raises:
        RefusedError: HW281, an operand is a mask.
    """
    names = dict(enumerate(OPERANDS))
    given = {
        names.get(role, role) if isinstance(role, int) else role: t
        for role, t in zip(roles, x, strict=True)
    }
    masks = [str(name) for name in given if name not in OPERANDS]
    if masks:
        raise b.refusal(
            "attention with a mask", found=", ".join(masks), supported=", ".join(OPERANDS),
            help="call it without a mask",
        )  # fmt: skip
    query = given["query"]
    value = given.get("value", query)
    return [query, value, given.get("key", value)]


def _check(b: Writer, layer: FileLayer, x: list[Tensor]) -> None:
    """Refuse operands that are no sequences, and attention along another axis."""
    if any(len(t.shape) != 2 for t in x):
        raise b.refusal(
            "attention to other than sequences",
            found=f"operands of shape {', '.join(str(t.shape) for t in x)}",
            supported="(places, channels), beside the batch",
        )
    axes = layer.settings.get("attention_axes")
    if axes not in (None, 1, [1], (1,)):
        raise b.refusal("attention along another axis", found=f"attention_axes={axes}")
    shape = layer.settings.get("output_shape")
    if isinstance(shape, (list, tuple)) and len(shape) != 1:
        raise b.refusal("attention with several axes of channels", found=f"output_shape={shape}")


def _quantizers(layer: FileLayer, *, enable_iq: bool, enable_oq: bool) -> dict[str, Any]:
    """Return the settings that all projections share."""
    found = {
        f"{role}_conf": layer.settings[f"qkvo_{role}_conf"] for role in ("iq", "kq", "bq", "oq")
    }
    return {**found, "enable_iq": enable_iq, "enable_oq": enable_oq, "activation": None}


def _project(b: Writer, layer: FileLayer, name: str, x: Tensor, fused: tuple[str, ...]) -> Tensor:
    """Append the projection of the query, the key or the value.

    Projections that are fused share a quantiser, which the file has at the key's: Keras saves
    attributes in alphabetical order, and each object once.
    """
    settings = {
        **_quantizers(layer, enable_iq=bool(layer.settings.get("enable_iq")), enable_oq=True),
        "equation": PROJECTION,
        "bias_axes": "hd" if layer.use_bias and name != "key" else None,
    }  # fmt: skip
    part = FileLayer.of("QEinsumDense", settings, layer.group / f"{name}_dense")
    inputs = layer.group / "key_dense" if name in fused else part.group
    return _within(b, name, lambda: einsum_dense_layer(b, part, [x], inputs))


def _softmax(b: Writer, layer: FileLayer, scores: Tensor) -> Tensor:
    settings = {
        **{f"{n}_conf": layer.settings[f"softmax_{n}_conf"]
           for n in ("exp_iq", "exp_oq", "inv_iq", "inv_oq", "oq")},
        "axes": [3], "stable": bool(layer.settings.get("stable_softmax", True)), "enable_oq": True,
        "input_scaler": 1.0 / math.sqrt(float(layer.key_dim)),
    }  # fmt: skip
    return softmax_layer(b, FileLayer("QSoftmax", settings, layer.group / "_softmax"), [scores])


def _within(b: Writer, part: str, write: Any) -> Tensor:
    """Return what is written under the name of a part of the layer."""
    path, b.layer = b.layer, f"{b.layer}.{part}"
    try:
        found: Tensor = write()
    finally:
        b.layer = path
    return found


ATTENTION: dict[str, Convert] = {"QMultiHeadAttention": attention, "QLinformerAttention": linformer}
"""HGQ's layers that take query, value and key, by class name."""
