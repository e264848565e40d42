"""What an entry of the table of constructs is, and how its model is made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.networks import DOMAIN, Builder

EXACT = "exact"
APPROXIMATE = "approximate"
"""Outcomes of what is built; any other outcome is the codes of the refusal."""

Body = Callable[[Builder, str], str]

DOMAINS = (
    "qonnx.custom_op.general",
    "onnx.brevitas",
    "finn.custom_op.general",
    "qonnx.custom_op.channels_last",
)
"""Domains of quantisers, of which ``tests.networks`` writes the first, and qonnx's others."""


@dataclass(frozen=True, kw_only=True)
class Construct:
    """One construct: how to make a model of it, and what becomes of the model.

    Attributes:
        name: as the documentation lists it; unique.
        body: appends the construct to a builder behind a value; returns the last value.
        outcome: ``EXACT``, ``APPROXIMATE`` or the codes of the refusal, ``"HW201, HW210"``.
        shape: of the input, batch axis included.
        quant: bits, scale and sign of the quantiser at the input; None for none.
        opset: of standard operators.
        note: for the documentation: what other tools make of it, or what to know.
        stream: the code that io_stream refuses it with, where io_parallel takes it.
    """

    name: str
    body: Body
    outcome: str = EXACT
    shape: tuple[int, ...] = (1, 4)
    quant: tuple[int, float, bool] | None = (5, 0.25, True)
    opset: int = 18
    note: str = ""
    stream: str = ""

    @property
    def refused(self) -> bool:
        """Whether no project is made of it."""
        return self.outcome not in (EXACT, APPROXIMATE)

    def model(self) -> onnx.ModelProto:
        """Return the model: a quantised input ``x`` and the construct behind it."""
        b = Builder(np.random.default_rng(len(self.name)))
        x = "x"
        if self.quant is not None:
            bits, scale, signed = self.quant
            x = b.quant(x, bits, scale, signed=signed)
        out = self.body(b, x)
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            b.nodes,
            "construct",
            [info("x", TensorProto.FLOAT, self.shape)],
            [info(out, TensorProto.FLOAT, None)],
            b.tensors,
        )
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(d, 1) for d in DOMAINS]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def one(op: str, *constants: Any, **attributes: Any) -> Body:
    """Return the body that is one node of the value and some constants."""

    def body(b: Builder, x: str) -> str:
        return b.node(op, [x, *(b.constant(c) for c in constants)], **attributes)

    return body


def then_quant(body: Body, bits: int = 6, scale: float = 1 / 32, *, signed: bool = True) -> Body:
    """Return a body with a quantiser behind it."""
    return lambda b, x: b.quant(body(b, x), bits, scale, signed=signed)


def quantizer(op: str = "Quant", domain: str = DOMAIN, **attributes: Any) -> Callable[..., Body]:
    """Return a function of a quantiser's constants (scale, zero point, bits, ...) to a body."""

    def of(*constants: Any) -> Body:
        def body(b: Builder, x: str) -> str:
            return b.node(op, [x, *(b.constant(c) for c in constants)], domain, **attributes)

        return body

    return of
