"""What a design may cost and must keep: the limits of ``hwflow verify``, and bounds on settings.

Figures are exact decimals: a limit of 0.97 is 97/100, not the float nearest to it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from hwflow.core.errors import CompileError, Diagnostic

Figure = float | int | str | None

SHARES = ("min_accuracy", "max_drop", "min_agreement", "min_coverage", "max_saturation")
"""Limits that are shares from 0 to 1."""

RESOURCES = {
    "max_lut": "lut", "max_ff": "ff", "max_dsp": "dsp", "max_bram": "bram_18k", "max_uram": "uram"
}  # fmt: skip
"""Limits of resources, by the board's name for each."""

_DECIMAL = re.compile(r"(\d{1,15}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?) ?(%?)(:high)?")


@dataclass(frozen=True)
class Amount:
    """A limit as it was written.

    Attributes:
        value: the number, a hundredth of it where it is in per cent.
        percent: whether it is a share of what the board has.
        text: what was written.
        high: whether the upper end of an estimate is held against it, not its best value.
    """

    value: Fraction
    percent: bool
    text: str
    high: bool = False


def parse_amount(figure: float | str) -> Amount:
    """Return a number, or a number of per cent; ``:high`` behind it means the upper end.

    Raises:
        ValueError: it is neither, or negative.
    """
    text = str(figure).strip()
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError("a number such as 12000, or a share such as 70%")
    percent = bool(match[2])
    return Amount(Fraction(match[1]) / (100 if percent else 1), percent, text, bool(match[3]))


def parse_share(figure: float | str) -> Fraction:
    """Return a share between 0 and 1.

    Raises:
        ValueError: it is not one.
    """
    try:
        amount = parse_amount(figure)
        value = Fraction(2) if amount.high else amount.value
    except ValueError:
        value = Fraction(2)
    if value > 1:
        raise ValueError("a share from 0 to 1, such as 0.97, or of per cent, such as 97%")
    return value


class VerifySettings(BaseModel):
    """``[verify]``: limits that ``hwflow verify`` holds a design against; none unless set.

    Attributes:
        min_accuracy: share of samples that the hardware must classify as their label says.
        max_drop: what it may lose of the float reference's accuracy.
        min_agreement: share of samples that must get the float reference's class.
        lossless: the hardware's numbers must be the quantised model's own: no value differs.
        exact: the verdict must be lossless: no value differs and no layer is approximate.
        min_coverage: share of what data can reach in the layers that it must reach.
        max_saturation: share of its values that a layer may clip.
        max_lut: look-up tables, post-synthesis-equivalent; a number or per cent of the board's, for
            the best value of the estimate, or with ``:high`` for its upper end.
        max_ff: flip-flops, in the same form.
        max_dsp: multiplier blocks, in the same form.
        max_bram: 18 kbit block RAMs, in the same form.
        max_uram: UltraRAMs, in the same form.
        max_latency_us: microseconds from first input to last output.
        max_ii: cycles between two inferences.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    min_accuracy: Figure = None
    max_drop: Figure = None
    min_agreement: Figure = None
    lossless: bool = False
    exact: bool = False
    min_coverage: Figure = None
    max_saturation: Figure = None
    max_lut: Figure = None
    max_ff: Figure = None
    max_dsp: Figure = None
    max_bram: Figure = None
    max_uram: Figure = None
    max_latency_us: Figure = None
    max_ii: Figure = None

    @field_validator(*SHARES)
    @classmethod
    def _is_share(cls, figure: Figure) -> Figure:
        if figure is not None:
            parse_share(figure)
        return figure

    @field_validator(*RESOURCES)
    @classmethod
    def _is_amount(cls, figure: Figure) -> Figure:
        if figure is not None:
            parse_amount(figure)
        return figure

    @field_validator("max_latency_us", "max_ii")
    @classmethod
    def _is_number(cls, figure: Figure) -> Figure:
        if figure is not None and parse_amount(figure).percent:
            raise ValueError("a number; there is nothing it could be a share of")
        return figure

    def share(self, name: str) -> Fraction | None:
        """Return a limit that is a share from 0 to 1, or None where it is not set."""
        figure: Figure = getattr(self, name)
        return None if figure is None else parse_share(figure)

    def amount(self, name: str) -> Amount | None:
        """Return any other limit, or None where it is not set."""
        figure: Figure = getattr(self, name)
        return None if figure is None else parse_amount(figure)

    def updated(self, **given: str | bool | None) -> VerifySettings:
        """Return the limits with those that are given in the place of these.

        Raises:
            CompileError: HW102, for each that is no limit of its kind.
        """
        known = {name: value for name, value in given.items() if value not in (None, False)}
        try:
            return VerifySettings.model_validate({**self.model_dump(), **known})
        except ValidationError as error:
            raise CompileError(
                Diagnostic(
                    code="HW102",
                    title="illegal setting",
                    where=f"--{str(item['loc'][0]).replace('_', '-')}",
                    found=repr(item["input"]),
                    supported=item["msg"].removeprefix("Value error, "),
                )
                for item in error.errors()
            ) from None


_BOUND = re.compile(r"(<=|>=) ?([1-9]\d{0,8})")


@dataclass(frozen=True)
class Bound:
    """A reuse factor that is asked for as a bound, ``"<=8"`` or ``">=8"``.

    Attributes:
        at_most: whether legal values up to ``value`` are within it, or those from it on.
        value: the number.
    """

    at_most: bool
    value: int

    def taken(self, legal: Sequence[int]) -> int | None:
        """Return the value within the bound that is nearest to it; None where there is none.

        Args:
            legal: what a layer can have, ascending.
        """
        if self.at_most:
            at = bisect_right(legal, self.value) - 1
            return legal[at] if at >= 0 else None
        at = bisect_left(legal, self.value)
        return legal[at] if at < len(legal) else None


def parse_reuse_factor(setting: object) -> int | Bound:
    """Return a reuse factor, or the bound that a text gives.

    Raises:
        ValueError: it is neither a positive integer nor a bound.
    """
    if isinstance(setting, int) and not isinstance(setting, bool) and setting >= 1:
        return setting
    bound = _BOUND.fullmatch(setting) if isinstance(setting, str) else None
    if bound is None:
        raise ValueError('a positive integer, or a bound on it such as "<=8"')
    return Bound(bound[1] == "<=", int(bound[2]))
