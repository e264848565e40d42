"""Elementwise operators as real functions, by the definitions of the ONNX operators."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce

import numpy as np

from hwflow.ir.grid import rationals
from hwflow.verify.references.exact import functions
from hwflow.verify.references.exact.arithmetic import (
    add,
    divide,
    maximum,
    minimum,
    multiply,
    negate,
    number,
    subtract,
)
from hwflow.verify.references.exact.node import Operands, Step, View
from hwflow.verify.references.exact.values import (
    Apply,
    Function,
    Tensor,
    constant,
    rational_array,
    real_input,
)

Unary = Callable[[View, Tensor], Tensor]
Fold = Callable[[Tensor, Tensor], Tensor]

_ROOT_BITS = 320
"""Bits of the square root in a batch norm's factor."""

_MOST_FACTORS = 16
"""Largest exponent that is multiplied out."""


def folded(operation: Fold) -> Callable[[View], Step]:
    """Return the builder of an operator of any number of operands."""

    def build(view: View) -> Step:
        def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
            parts = (view.tensor(operands, i) for i in range(len(operands)))
            return (reduce(operation, parts),)

        return step

    return build


def unary(function: Unary) -> Callable[[View], Step]:
    """Return the builder of an operator of one operand."""

    def build(view: View) -> Step:
        return lambda operands, samples: (function(view, view.tensor(operands, 0)),)

    return build


def applied(function: Function) -> Callable[[View], Step]:
    """Return the builder of an operator that is one function."""
    return unary(lambda view, x: Apply(function, (x,)))


def mean(view: View) -> Step:
    """Return the evaluation of ``Mean``."""
    total = folded(add)(view)
    share = number(Fraction(1, len(view.node.inputs)))
    return lambda operands, samples: (multiply(total(operands, samples)[0], share),)


def clip(view: View) -> Step:
    """Return the evaluation of ``Clip``: limits as attributes before opset 11, then operands."""

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        y = view.tensor(operands, 0)
        for index, name, limit in ((1, "min", maximum), (2, "max", minimum)):
            bound = view.optional(operands, index)
            if bound is None and name in view.attributes:
                bound = number(view.number(name, 0.0))
            if bound is not None:
                y = limit(y, bound)
        return (y,)

    return step


def power(view: View) -> Step:
    """Return the evaluation of ``Pow`` with a constant exponent."""
    listed = view.constant(1)
    exponent = None if listed is None or listed.size != 1 else float(listed.ravel()[0])
    if exponent == 0.5:
        return applied(functions.SQRT)(view)
    if exponent is None or exponent != int(exponent) or not 1 <= exponent <= _MOST_FACTORS:
        raise view.refused(f"with the exponent {listed}")

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = view.tensor(operands, 0)
        return (reduce(multiply, [x] * int(exponent)),)

    return step


def batch_norm(view: View) -> Step:
    """Return the evaluation of ``BatchNormalization``: ``gamma / sqrt(var + eps)`` and a shift."""
    if view.attributes.get("training_mode"):
        raise view.refused("in training mode")
    given = [view.constant(i) for i in range(1, 5)]
    gamma, beta, mu, var = (rationals(g) for g in given if g is not None)
    epsilon = Fraction(view.number("epsilon", 1e-5))
    roots = rational_array([_root(v + epsilon) for v in var])
    factor = rational_array(gamma / roots)
    shift = rational_array(beta - mu * factor)

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = view.tensor(operands, 0)
        spread = (1, -1, *(1,) * (len(x.shape) - 2))
        scaled = multiply(x, constant(factor.reshape(spread)))
        return (add(scaled, constant(shift.reshape(spread))),)

    return step


def _root(value: Fraction) -> Fraction:
    low, high = functions.square_root(_ROOT_BITS, value)
    return (low + high) / 2


def softmax(view: View) -> Step:
    """Return the evaluation of ``Softmax`` in float64: approximate by nature, as hardware is."""
    from hwflow.verify.references.exact.decision import rounded

    before_13 = view.opset < 13

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = rounded(view.tensor(operands, 0), samples)
        rank = x.ndim - 1
        axis = int(view.attributes.get("axis", 1 if before_13 else -1)) % rank
        axes = tuple(range(1 + axis, 1 + rank)) if before_13 else (1 + axis,)
        grown = np.exp(x - x.max(axis=axes, keepdims=True))
        return (real_input(grown / grown.sum(axis=axes, keepdims=True)),)

    return step


def _leaky(view: View, x: Tensor, slope: Tensor) -> Tensor:
    """Return ``max(x, 0) + slope * min(x, 0)``."""
    zero = number(0)
    return add(maximum(x, zero), multiply(minimum(x, zero), slope))


def p_relu(view: View) -> Step:
    """Return the evaluation of ``PRelu``."""

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        return (_leaky(view, view.tensor(operands, 0), view.tensor(operands, 1)),)

    return step


def _elu(view: View, x: Tensor, alpha: float, factor: float = 1.0) -> Tensor:
    """Return ``x`` above zero and ``alpha * (exp(x) - 1)`` below, both times a factor."""
    zero = number(0)
    below = multiply(Apply(functions.EXPM1, (minimum(x, zero),)), number(alpha))
    return multiply(add(maximum(x, zero), below), number(factor))


def _selu(view: View, x: Tensor) -> Tensor:
    alpha = view.number("alpha", 1.67326319217681884765625)
    return _elu(view, x, alpha, view.number("gamma", 1.05070102214813232421875))


def _celu(view: View, x: Tensor) -> Tensor:
    alpha = view.number("alpha", 1.0)
    zero = number(0)
    below = Apply(functions.EXPM1, (divide(minimum(x, zero), number(alpha)),))
    return add(maximum(x, zero), multiply(below, number(alpha)))


def _hard_sigmoid(x: Tensor, alpha: Fraction, beta: Fraction) -> Tensor:
    inner = add(multiply(x, number(alpha)), number(beta))
    return minimum(maximum(inner, number(0)), number(1))


def _gelu(view: View, x: Tensor) -> Tensor:
    tanh = view.attributes.get("approximate", "none") == "tanh"
    return multiply(x, Apply(functions.TANH_GATE if tanh else functions.NORMAL, (x,)))


def _swish(view: View, x: Tensor) -> Tensor:
    alpha = number(view.number("alpha", 1.0))
    return multiply(x, Apply(functions.SIGMOID, (multiply(x, alpha),)))


def _abs(x: Tensor) -> Tensor:
    return maximum(x, negate(x))


def _one_plus_abs(x: Tensor) -> Tensor:
    return add(_abs(x), number(1))


def _given_hard_sigmoid(view: View, x: Tensor) -> Tensor:
    alpha, beta = view.number("alpha", 0.2), view.number("beta", 0.5)
    return _hard_sigmoid(x, Fraction(alpha), Fraction(beta))


def _hard_swish(view: View, x: Tensor) -> Tensor:
    return multiply(x, _hard_sigmoid(x, Fraction(1, 6), Fraction(1, 2)))


def _thresholded(view: View, x: Tensor) -> Tensor:
    return Apply(functions.above(Fraction(view.number("alpha", 1.0))), (x,))


ELEMENTWISE: dict[str, Callable[[View], Step]] = {
    "Abs": unary(lambda v, x: _abs(x)),
    "Add": folded(add),
    "Ceil": applied(functions.CEIL),
    "Celu": unary(_celu),
    "Clip": clip,
    "Div": folded(divide),
    "Elu": unary(lambda v, x: _elu(v, x, v.number("alpha", 1.0))),
    "Erf": applied(functions.ERF),
    "Exp": applied(functions.EXP),
    "Floor": applied(functions.FLOOR),
    "Gelu": unary(_gelu),
    "HardSigmoid": unary(_given_hard_sigmoid),
    "HardSwish": unary(_hard_swish),
    "Identity": unary(lambda v, x: x),
    "LeakyRelu": unary(lambda v, x: _leaky(v, x, number(v.number("alpha", 0.01)))),
    "Log": applied(functions.LOG),
    "Max": folded(maximum),
    "Mean": mean,
    "Min": folded(minimum),
    "Mish": unary(lambda v, x: multiply(x, Apply(functions.MISH_GATE, (x,)))),
    "Mul": folded(multiply),
    "Neg": unary(lambda v, x: negate(x)),
    "PRelu": p_relu,
    "Pow": power,
    "Reciprocal": unary(lambda v, x: divide(number(1), x)),
    "Relu": unary(lambda v, x: maximum(x, number(0))),
    "Round": applied(functions.ROUND),
    "Selu": unary(_selu),
    "Sigmoid": applied(functions.SIGMOID),
    "Sign": applied(functions.SIGN),
    "Softplus": applied(functions.SOFTPLUS),
    "Softsign": unary(lambda v, x: divide(x, _one_plus_abs(x))),
    "Sqrt": applied(functions.SQRT),
    "Sub": folded(subtract),
    "Sum": folded(add),
    "Swish": unary(_swish),
    "Tanh": applied(functions.TANH),
    "ThresholdedRelu": unary(_thresholded),
}
"""Builders by operator; ``Leaf`` operands stay integers where the operator allows it."""
