"""What a user asks of post-training quantisation, checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.ir.qonnx.model import printable

METHODS = ("minmax", "percentile", "mse", "entropy")
"""Ways to choose the range of activations."""

SCALES = ("float", "pow2")

MIN_BITS, MAX_BITS = 2, 16
"""One bit has no symmetric integer beside zero; beyond 16 float32 itself rounds the products."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to quantise.

    Attributes:
        weight_bits: bits of all weights that ``overrides`` does not name.
        activation_bits: bits of all activations and inputs, in the same way.
        overrides: bits by ``NAME.w`` or ``NAME.a``.
        per_channel: one weight scale for each output channel instead of one for the layer.
        scale: ``float``, or ``pow2`` for powers of two.
        method: one of ``METHODS``.
        equalize: cross-layer equalisation before.
        bias_correction: bias correction of all layers; compensated layers have it built in.
        asymmetric: zero points for activations of both signs.
        independent: weights of a layer are chosen with what the float model computes before it,
            so that they do not depend on the bits of the layers before.
    """

    weight_bits: int = 8
    activation_bits: int = 8
    overrides: Mapping[str, int] = field(default_factory=dict)
    per_channel: bool = False
    scale: str = "float"
    method: str = "mse"
    equalize: bool = False
    bias_correction: bool = False
    asymmetric: bool = False
    independent: bool = False

    @property
    def pow2(self) -> bool:
        """Whether scales are powers of two."""
        return self.scale == "pow2"

    def weight(self, names: frozenset[str]) -> int:
        """Return the weight bits of a layer that is known by these names."""
        return self._of(names, "w", self.weight_bits)

    def activation(self, names: frozenset[str]) -> int:
        """Return the bits of a value that is known by these names."""
        return self._of(names, "a", self.activation_bits)

    def _of(self, names: frozenset[str], kind: str, default: int) -> int:
        found = [b for key, b in self.overrides.items() if key in {f"{n}.{kind}" for n in names}]
        return found[-1] if found else default


def make_settings(
    bits: str | Mapping[str, int], *, scale: str, method: str, **others: bool
) -> Settings:
    """Return checked settings.

    Args:
        bits: ``"w=8,a=8,fc1.w=4"``, or the same as a mapping.
        scale: one of ``SCALES``.
        method: one of ``METHODS``.
        others: further fields of ``Settings``.

    Raises:
        CompileError: HW310, bits that cannot be read or are out of range; HW311, an unknown
            method or scale.
    """
    pairs = list(bits.items()) if isinstance(bits, Mapping) else list(_pairs(bits))
    findings = [*_bad_bits(pairs), *_bad_choices(scale, method)]
    if findings:
        raise CompileError(findings)
    known = {key: int(value) for key, value in pairs}
    return Settings(
        weight_bits=known.pop("w", 8),
        activation_bits=known.pop("a", 8),
        overrides=known,
        scale=scale,
        method=method,
        **others,
    )


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield key and value of each part of ``w=8,a=8``."""
    for part in text.split(","):
        key, _, value = part.rpartition("=")
        yield key.strip(), value.strip()


def _bad_bits(pairs: list[tuple[str, str]] | list[tuple[str, int]]) -> Iterator[Diagnostic]:
    for key, value in pairs:
        is_key = key in ("w", "a") or (key.endswith((".w", ".a")) and len(key) > 2)
        is_width = re.fullmatch(r"\d{1,3}", str(value)) and MIN_BITS <= int(value) <= MAX_BITS
        if not is_key or not is_width:
            yield Diagnostic(
                code="HW310",
                title="bits that cannot be used",
                where="--bits",
                found=printable(f"{key}={value}"),
                supported="w=N, a=N, LAYER.w=N, LAYER.a=N (separated by commas), N from "
                f"{MIN_BITS} to {MAX_BITS}",
            )


def _bad_choices(scale: str, method: str) -> Iterator[Diagnostic]:
    for name, value, known in (("--scale", scale, SCALES), ("--method", method, METHODS)):
        if value not in known:
            yield Diagnostic(
                code="HW311",
                title="unknown choice",
                where=name,
                found=repr(printable(value)),
                supported=", ".join(known),
                help=did_you_mean(value, known),
            )


def unknown_names(settings: Settings, weights: set[str], values: set[str]) -> Iterator[Diagnostic]:
    """Yield the overrides that name nothing.

    Args:
        settings: the settings to check.
        weights: names of layers with weights.
        values: names of what gives quantised activations.
    """
    for key in settings.overrides:
        name, _, kind = key.rpartition(".")
        known = weights if kind == "w" else values
        if name not in known:
            yield Diagnostic(
                code="HW312",
                title="bits for a layer that is not there",
                where="--bits",
                found=printable(key),
                supported=", ".join(printable(f"{n}.{kind}") for n in sorted(known)),
                help=did_you_mean(name, sorted(known)),
            )
