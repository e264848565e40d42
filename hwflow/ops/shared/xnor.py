"""Products as XNOR of sign bits: where it is right, and what a layer says about it.

With weights ``-m, 0, +m`` and inputs ``-s, +s`` a sum of ``n`` nonzero products is
``m * s * (n - 2 * d)``, with ``d`` the number of inputs whose sign differs from their weight's (the
XNOR-popcount of Courbariaux et al., "Binarized Neural Networks", arXiv:1602.02830, section 2.3).
Both forms are the same integers: simulation and bounds stay those of the plain product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hwflow.core.errors import Diagnostic
from hwflow.fixed import RawArray
from hwflow.ir.op import HlsLayer

PRODUCTS = ("multiply", "xnor")
"""How a layer forms its products."""

INPUT_EXPONENT = "input_exponent"
"""hls4ml attribute of a layer that asks for the XNOR kernel: its inputs are ``+-2**exponent``."""


def xnor_obstacle(
    weight: RawArray,
    input_exponent: int | None,
    *,
    strategy: str,
    reuse_factor: int,
    accum_exact: bool,
    padded: bool = False,
) -> str:
    """Return why a layer's products cannot be XNORs, or an empty text.

    Args:
        weight: integers of shape ``(n_in, n_out)``.
        input_exponent: every input is ``+-2**input_exponent``; None where that is not proven.
        strategy: strategy of the layer.
        reuse_factor: reuse factor of the layer.
        accum_exact: the accumulator loses nothing of any sum.
        padded: whether zeros are put around the input.
    """
    magnitude = np.abs(weight)
    largest = magnitude.max(axis=0, initial=0)
    if input_exponent is None:
        return "its inputs are not known to be -s or +s, with s one power of two"
    if padded:
        return "the zeros of its padding are neither -s nor +s"
    if np.any((magnitude != largest) & (magnitude != 0)) or np.any(largest & (largest - 1)):
        return "an output's weights are not all -m, 0 or +m, with m a power of two"
    if strategy != "latency" or reuse_factor != 1:
        return f"strategy = {strategy!r} and reuse_factor = {reuse_factor} ask for multipliers"
    return "" if accum_exact else "accum_t is narrower than the sum"


def xnor_layer(layer: HlsLayer, input_exponent: int | None) -> HlsLayer:
    """Return a layer of hls4ml's that asks for the XNOR kernel; codegen exchanges its own."""
    return replace(layer, attributes={**layer.attributes, INPUT_EXPONENT: input_exponent})


def check_product(product: str | None, obstacle: str) -> Iterator[Diagnostic]:
    """Yield what is illegal about a user's choice of how products are formed.

    Args:
        product: one of ``PRODUCTS``, or None for the cheaper one.
        obstacle: what ``xnor_obstacle`` says about the layer.
    """
    if product is not None and product not in PRODUCTS:
        yield Diagnostic(
            code="HW102",
            title="illegal setting",
            found=f"product = {product!r}",
            supported=", ".join(PRODUCTS),
            help="remove it, and the cheaper one is taken",
        )
    if product == "xnor" and obstacle:
        yield Diagnostic(
            code="HW110",
            title="products that are not XNORs",
            found=f"product = 'xnor', but {obstacle}",
            supported="inputs -s or +s, weights -m, 0 or +m, no padding, "
            'strategy = "latency", reuse_factor = 1',
            help='remove it or set product = "multiply"; additions are all that such weights need',
        )
