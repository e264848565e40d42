"""A refused model, what is said about it, and the same model with the help applied.

A table of these is a list of ``Refusal``; ``check`` holds for each of them. Tables are one file for
each range of codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import hwflow
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.simulate.samples import mixed_data
from tests.networks import DOMAIN, Builder

Body = Callable[[Builder, str], str]
"""Appends nodes behind a value and returns the last one."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One refusal.

    Attributes:
        code: of the one finding.
        refused: makes the model that is refused; what ``hwflow.compile`` takes.
        where: what the place begins with: the node that is the obstacle, or the port.
        says: parts of title, found, supported and help, in any order, without which it is untrue.
        helped: makes the same model with the help applied, which must be built exactly.
        approximate: the help leads to a table by nature.
        data: for an input whose type neither model says.
    """

    code: str
    refused: Callable[[], Any]
    where: str
    says: tuple[str, ...]
    helped: Callable[[], Any]
    approximate: bool = False
    data: Mapping[str, Any] | None = None


def network(
    body: Body,
    shape: tuple[int, ...] = (1, 4),
    scale: float | None = 0.07,
    opset: int = 18,
) -> Callable[[], onnx.ModelProto]:
    """Return what makes a model: a quantised input ``x``, and a body behind it.

    Args:
        body: what is behind the input.
        shape: of the input, batch included.
        scale: of the quantiser at the input, of 5 bits; None for none.
        opset: of standard operators.
    """

    def make() -> onnx.ModelProto:
        b = Builder(np.random.default_rng(0))
        out = body(b, "x" if scale is None else b.quant("x", 5, scale, signed=True))
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            b.nodes,
            "net",
            [info("x", TensorProto.FLOAT, shape)],
            [info(out, TensorProto.FLOAT, None)],
            b.tensors,
        )
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    return make


def then(*bodies: Body) -> Body:
    """Return a body that is several, one behind the other."""

    def body(b: Builder, x: str) -> str:
        for part in bodies:
            x = part(b, x)
        return x

    return body


def quant(scale: Any = 0.11, bits: int = 6) -> Body:
    """Return a quantiser."""
    return lambda b, x: b.quant(x, bits, scale, signed=True)


def node(op: str, *constants: Any, **attributes: Any) -> Body:
    """Return one node, called ``obstacle``, of a value and constants."""

    def body(b: Builder, x: str) -> str:
        out = b.node(op, [x, *(b.constant(c, np.asarray(c).dtype) for c in constants)])
        b.nodes[-1].attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        b.nodes[-1].name = "obstacle"
        return out

    return body


def finding(refusal: Refusal) -> Diagnostic:
    """Return the one finding about the refused model."""
    with pytest.raises(CompileError) as caught:
        hwflow.compile(refusal.refused(), data=refusal.data)
    (one,) = caught.value.diagnostics  # one cause is one finding
    return one


def check(refusal: Refusal) -> None:
    """Check what is said, where, and that the help leads to a design with the model's numbers."""
    said = finding(refusal)
    assert said.code == refusal.code
    assert said.where.startswith(refusal.where), said.where
    text = " ".join((said.title, said.found, said.supported, said.help))
    for part in refusal.says:
        assert part in text, said
    assert said.help or said.supported
    design = hwflow.compile(refusal.helped(), data=refusal.data)
    found = design.verify(mixed_data(design.graph, 60), cpp=False)
    assert found.lossless is not None
    if refusal.approximate:
        assert any(n.op.approximate for n in design.graph.nodes)
    else:
        assert found.lossless.mismatches == 0, found.lossless.first
