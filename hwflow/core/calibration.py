"""Calibration profiles: factors for estimates, learnt from reports of one's own tools.

A profile is one TOML file that ``hwflow calibrate`` writes. This module is imported only by
commands that need one, since pydantic takes time to load.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import read_limited
from hwflow.core.toml_text import parse_toml, toml_text

FORM: Literal["hwflow-calibration/1"] = "hwflow-calibration/1"
"""Name and version of the form."""

MAX_BYTES = 1_000_000
"""A profile is some pages of text; anything larger is not one."""

SMALLEST, LARGEST = 0.05, 20.0
"""Factors beyond these correct no estimate: something else is wrong."""

Figure = Literal[
    "lut", "ff", "dsp", "bram_18k", "latency_cycles", "ii",
    "lut_synth", "ff_synth", "dsp_synth", "bram_18k_synth",
]  # fmt: skip
"""Figures that have factors, by their names in a cost."""

Tool = Annotated[str, StringConstraints(pattern=r"^(vitis|vivado) 20\d\d\.\d$")]
Family = Literal["7 series", "UltraScale"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=400, pattern=r"^[^\n\r]*$")]
Factor = Annotated[float, Field(ge=SMALLEST, le=LARGEST)]
Percent = Annotated[float, Field(ge=0.0, le=200.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Entry(_Strict):
    """What was learnt of one version of a tool on one family of devices.

    Attributes:
        designs: the designs whose reports it was learnt from.
        factors: what estimates are multiplied with; figures without one stay as they are.
        error_before: mean symmetric error of each figure without the factor, in per cent.
        error_after: the same with factors that the design itself had no part in; empty for figures
            that one design alone speaks of.
    """

    designs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=10_000, strict=False)]
    factors: dict[Figure, Factor] = {}
    error_before: dict[Figure, Percent] = {}
    error_after: dict[Figure, Percent] = {}


class Profile(_Strict):
    """A calibration profile.

    Attributes:
        form: name and version of the form.
        correction: what was learnt, by tool with version, then by family of devices.
    """

    form: Literal["hwflow-calibration/1"]
    correction: dict[Tool, dict[Family, Entry]]

    def to_toml(self) -> str:
        """Return the content of the file."""
        return toml_text(self.model_dump())

    def joined_with(self, newer: Mapping[str, Mapping[str, Entry]]) -> Profile:
        """Return the profile with entries that replace those of the same tool and family."""
        tools = {**self.correction, **{tool: {} for tool in newer if tool not in self.correction}}
        merged = {
            tool: {**families, **newer.get(tool, {})} for tool, families in sorted(tools.items())
        }
        return Profile(form=FORM, correction=merged)


def load_profile(path: Path) -> Profile:
    """Return the profile in a file.

    Raises:
        CompileError: HW596, it cannot be read, or is not a profile; carries every violation.
    """
    try:
        content = parse_toml(read_limited(path, MAX_BYTES))
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise CompileError([_invalid(str(path), found, "a TOML file")]) from error
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        raise CompileError(
            _invalid(
                f"{path}, {'.'.join(map(str, e['loc'])) or 'top level'}",
                "nothing" if e["type"] == "missing" else _shown(e["input"]),
                e["msg"],
            )
            for e in error.errors()
        ) from error


def _invalid(where: str, found: str, supported: str) -> Diagnostic:
    return Diagnostic(
        code="HW596",
        title="not a calibration profile",
        where=where,
        found=found,
        supported=supported,
        help="write it anew: hwflow calibrate REPORT_DIR --profile FILE",
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
