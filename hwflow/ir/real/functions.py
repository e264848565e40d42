"""Activation functions as ONNX defines them: in float64 with an error bound, and as exact as asked.

A rounding behind a function is decided in float64 where the error bound allows it, else by rational
arithmetic where the result is rational, else in binary arithmetic of growing precision. That ends:
the exponential of a rational number other than 0 is transcendental (Lindemann), so none of these
functions hits a rounding boundary exactly but where ``rational`` knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import erf, isqrt, sqrt
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
Parameters = Mapping[str, float]
Mp = Any
"""``mpmath.mpf``; mpmath comes without types."""


def _erf(x: F64) -> F64:
    return np.asarray(np.frompyfunc(erf, 1, 1)(x), np.float64)


def _expm1_below(x: F64, alpha: float) -> F64:
    return np.asarray(np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))))


def _sigmoid(x: F64) -> F64:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1 / (1 + e), e / (1 + e)))


@dataclass(frozen=True, eq=False, kw_only=True)
class RealFunction:
    """A real function of one number, with what proofs about it need.

    Attributes:
        value: the function in float64, within 16 units in the last place of ``max(1, |result|)``.
        slope: bound on the magnitude of the derivative near each input.
        precise: the function in mpmath, at its current precision.
        rational: the rational result at a rational input, or None where it is not rational.
        turns: inputs where it changes between rising and falling, or has a pole.
    """

    value: Callable[[F64, Parameters], F64]
    slope: Callable[[F64, Parameters], F64]
    precise: Callable[[Mp, Parameters], Mp]
    rational: Callable[[Fraction, Parameters], Fraction | None]
    turns: Callable[[Parameters], tuple[float, ...]] = lambda p: ()


def _constant(bound: float) -> Callable[[F64, Parameters], F64]:
    return lambda x, p: np.full(np.shape(x), bound)


def _only_at(
    **points: Fraction | float,
) -> Callable[[Fraction, Parameters], Fraction | None]:
    """Return an ``exact`` that knows the result at 0 (``at_0``) or 1 (``at_1``) only."""
    known = {int(k[3:]): Fraction(v) for k, v in points.items()}
    return lambda x, p: known.get(x)  # type: ignore[call-overload]


def _rational(f: Callable[[Any, Parameters], Any]) -> dict[str, Any]:
    """Return the precise and exact forms of a function made of rational operations."""
    return {"precise": f, "rational": f}


def _root(x: Fraction, p: Parameters) -> Fraction | None:
    top, bottom = (isqrt(max(n, 0)) for n in (x.numerator, x.denominator))
    found = Fraction(top, bottom)
    return found if found * found == x else None


def _linear_unit(scale: str = "") -> dict[str, Any]:
    """Return the forms of ``x`` above 0 and ``alpha * (exp(x) - 1)`` below, times ``scale``."""

    def factor(p: Parameters) -> Fraction:
        return Fraction(p[scale]) if scale else Fraction(1)

    return {
        "precise": lambda x, p: (
            _mp(factor(p)) * (x if x > 0 else p["alpha"] * mpmath.expm1(_near(x, 1000)))
        ),
        "rational": lambda x, p: factor(p) * max(x, x * 0) if x >= 0 or not p["alpha"] else None,
        "slope": lambda x, p: np.full(
            np.shape(x), abs(float(factor(p))) * max(1.0, abs(p["alpha"]))
        ),
        "turns": lambda p: (0.0,) if p["alpha"] < 0 else (),
    }


def _near(x: Mp, far: int) -> Mp:
    """Return the nearest number to ``x`` that is at most ``far`` from 0.

    Farther out the functions that use it are so close to their limit that no rounding tells: some
    1400 bits, which are decided within a few steps of growing precision.
    """
    return max(-far, min(far, x))


def _exp(x: Mp) -> Mp:
    return mpmath.exp(max(x, -1000))


def _log1p_exp(x: Mp) -> Mp:
    return max(x, 0) + mpmath.log1p(_exp(-abs(x)))


def _erf_near(x: Mp) -> Mp:
    return mpmath.erf(_near(x, 32))


def _tanh_near(x: Mp) -> Mp:
    return mpmath.tanh(_near(x, 500))


def _times(factor: float, x: Any) -> Any:
    """Return a product that stays rational where ``x`` is."""
    return (Fraction(factor) if isinstance(x, Fraction) else mpmath.mpf(factor)) * x


def _mp(x: Fraction) -> Mp:
    return mpmath.mpf(x.numerator) / x.denominator


def _mish(x: Mp, p: Parameters) -> Mp:
    return x * _tanh_near(_log1p_exp(x))


def _gelu(x: Mp, p: Parameters) -> Mp:
    if p["tanh"]:
        inner = mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)
        return x * (1 + _tanh_near(inner)) / 2
    return x * (1 + _erf_near(x / mpmath.sqrt(2))) / 2


def _gelu_values(x: F64, p: Parameters) -> F64:
    if p["tanh"]:
        return np.asarray(0.5 * x * (1 + np.tanh(sqrt(2 / np.pi) * (x + 0.044715 * x**3))))
    return np.asarray(0.5 * x * (1 + _erf(x / sqrt(2))))


FUNCTIONS: dict[str, RealFunction] = {
    "Abs": RealFunction(
        value=lambda x, p: np.abs(x), slope=_constant(1), turns=lambda p: (0.0,),
        **_rational(lambda x, p: abs(x)),
    ),
    "Celu": RealFunction(
        value=lambda x, p: np.where(
            x > 0, x, p["alpha"] * np.expm1(np.minimum(x, 0) / p["alpha"])
        ),
        slope=_constant(1),
        precise=lambda x, p: x if x > 0 else p["alpha"] * mpmath.expm1(_near(x / p["alpha"], 1000)),
        rational=lambda x, p: x if x >= 0 else None,
    ),
    "Elu": RealFunction(value=lambda x, p: _expm1_below(x, p["alpha"]), **_linear_unit()),
    "Erf": RealFunction(
        value=lambda x, p: _erf(x), slope=_constant(1.13),
        precise=lambda x, p: _erf_near(x), rational=_only_at(at_0=0),
    ),
    "Exp": RealFunction(
        value=lambda x, p: np.exp(x), slope=lambda x, p: np.exp(x) * 1.01,
        precise=lambda x, p: _exp(x), rational=_only_at(at_0=1),
    ),
    "Gelu": RealFunction(
        value=_gelu_values, slope=_constant(1.2), precise=_gelu, rational=_only_at(at_0=0),
        turns=lambda p: (-0.752461422071508,) if p["tanh"] else (-0.7517915246935645,),
    ),
    "HardSwish": RealFunction(
        value=lambda x, p: x * np.clip(x / 6 + 0.5, 0, 1), slope=_constant(1.51),
        turns=lambda p: (-1.5,),
        **_rational(lambda x, p: x * min(max((x + 3) / 6, 0), 1)),
    ),
    "LeakyRelu": RealFunction(
        value=lambda x, p: np.where(x > 0, x, p["alpha"] * x),
        slope=lambda x, p: np.full(np.shape(x), max(1.0, abs(p["alpha"]))),
        turns=lambda p: (0.0,) if p["alpha"] < 0 else (),
        **_rational(lambda x, p: x if x > 0 else _times(p["alpha"], x)),
    ),
    "Log": RealFunction(
        value=lambda x, p: np.log(x), slope=lambda x, p: 1.01 / np.abs(x),
        precise=lambda x, p: mpmath.log(x), rational=_only_at(at_1=0),
    ),
    "Mish": RealFunction(
        value=lambda x, p: x * np.tanh(np.logaddexp(0, x)), slope=_constant(1.1),
        precise=_mish, rational=_only_at(at_0=0), turns=lambda p: (-1.1924312145154315,),
    ),
    "Reciprocal": RealFunction(
        value=lambda x, p: 1 / x, slope=lambda x, p: 1.01 / x**2, turns=lambda p: (0.0,),
        **_rational(lambda x, p: 1 / x),
    ),
    "Relu": RealFunction(
        value=lambda x, p: np.maximum(x, 0), slope=_constant(1),
        **_rational(lambda x, p: max(x, x * 0)),
    ),
    "Selu": RealFunction(
        value=lambda x, p: p["gamma"] * _expm1_below(x, p["alpha"]), **_linear_unit("gamma")
    ),
    "Sigmoid": RealFunction(
        value=lambda x, p: _sigmoid(x), slope=_constant(0.25),
        precise=lambda x, p: 1 / (1 + mpmath.exp(_near(-x, 1000))), rational=_only_at(at_0=0.5),
    ),
    "Softplus": RealFunction(
        value=lambda x, p: np.logaddexp(0, x), slope=_constant(1),
        precise=lambda x, p: _log1p_exp(x), rational=lambda x, p: None,
    ),
    "Softsign": RealFunction(
        value=lambda x, p: x / (1 + np.abs(x)), slope=_constant(1),
        **_rational(lambda x, p: x / (1 + abs(x))),
    ),
    "Sqrt": RealFunction(
        value=lambda x, p: np.sqrt(x), slope=lambda x, p: 0.51 / np.sqrt(x),
        precise=lambda x, p: mpmath.sqrt(x), rational=_root,
    ),
    "Swish": RealFunction(
        value=lambda x, p: x * _sigmoid(x), slope=_constant(1.1),
        precise=lambda x, p: x / (1 + mpmath.exp(_near(-x, 1000))), rational=_only_at(at_0=0),
        turns=lambda p: (-1.2784645427610738,),
    ),
    "Tanh": RealFunction(
        value=lambda x, p: np.tanh(x), slope=_constant(1),
        precise=lambda x, p: _tanh_near(x), rational=_only_at(at_0=0),
    ),
}  # fmt: skip
"""The functions by ONNX operator (https://onnx.ai/onnx/operators/)."""

DEFAULTS: dict[str, Parameters] = {
    "Celu": {"alpha": 1.0},
    "Elu": {"alpha": 1.0},
    "Gelu": {"tanh": 0.0},
    "LeakyRelu": {"alpha": float(np.float32(0.01))},
    "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
}
"""ONNX's default attributes."""


def parameters(op_type: str, attributes: Mapping[str, Any]) -> Parameters:
    """Return the parameters of a function from the attributes of its node."""
    found = {k: float(attributes.get(k, v)) for k, v in DEFAULTS.get(op_type, {}).items()}
    if op_type == "Gelu":
        found["tanh"] = float(attributes.get("approximate", "none") == "tanh")
    return found
