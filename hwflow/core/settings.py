"""The sections of ``hwflow.toml``, each validated on its own so that all findings come at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from hwflow.core.errors import Diagnostic, did_you_mean
from hwflow.core.limits import VerifySettings, parse_reuse_factor
from hwflow.fixed import FixedType


class TargetSettings(BaseModel):
    """``[target]``: the device and how every layer is built unless it says otherwise."""

    model_config = ConfigDict(extra="forbid", strict=True)

    board: str = "pynq-z2"
    backend: str = Field("Vitis", pattern="^(Vitis|Vivado)$")
    io_type: str = Field("io_parallel", pattern="^(io_parallel|io_stream)$")
    tool: str | None = Field(None, pattern=r"^(vitis|vivado) 20\d\d\.\d$")
    calibration: str | None = None
    clock_period_ns: float | None = Field(None, ge=0.1, le=1000)
    strategy: str = Field("latency", pattern="^(latency|resource|distributed_arithmetic)$")
    reuse_factor: Any = 1

    @field_validator("tool")
    @classmethod
    def _runs_the_backend(cls, tool: str | None, info: ValidationInfo) -> str | None:
        backend = str(info.data.get("backend", "")).lower()
        if tool and backend and not tool.startswith(f"{backend} "):
            raise ValueError(f"a version of the tool that backend {info.data['backend']} is for")
        return tool

    @field_validator("reuse_factor")
    @classmethod
    def _is_reuse_factor(cls, setting: object) -> object:
        parse_reuse_factor(setting)
        return setting


class InputSettings(BaseModel):
    """``[input.NAME]``: the fixed-point type of an input port."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: str

    @field_validator("type")
    @classmethod
    def _parses(cls, text: str) -> str:
        try:
            FixedType.parse(text)
        except OverflowError as error:
            raise ValueError(str(error)) from error
        return text


class PluginSettings(BaseModel):
    """``[plugins]``: operators beside hwflow's own; loading them runs their code."""

    model_config = ConfigDict(extra="forbid", strict=True)

    paths: list[str] = []


class Sections(BaseModel):
    """All sections of the file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    target: TargetSettings = TargetSettings()
    input: dict[str, InputSettings] = {}
    layer: dict[str, dict[str, Any]] = {}
    plugins: PluginSettings = PluginSettings()
    verify: VerifySettings = VerifySettings()


def parse_sections(
    settings: Mapping[str, Any], source: str, findings: list[Diagnostic]
) -> Sections:
    """Return the parts of a file that are legal.

    Args:
        settings: the file's content.
        source: where it comes from, for diagnostics.
        findings: gets a diagnostic for each part that is not legal.
    """
    left = deepcopy(dict(settings))
    while left:
        try:
            return Sections.model_validate(left)
        except ValidationError as error:
            findings.extend(_explained(error, source))
            for item in error.errors():
                _drop(left, item["loc"])
    return Sections()


def _drop(settings: dict[str, Any], place: Sequence[Any]) -> None:
    """Remove what stands at a place, or what holds it where nothing does; inputs as a whole."""
    holder, key = settings, place[0]
    for step in place[1:2] if key == "input" else place[1:]:
        inner = holder.get(key)
        if not isinstance(inner, dict) or step not in inner:
            break
        holder, key = inner, step
    holder.pop(key, None)


def _explained(error: ValidationError, source: str) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each of pydantic's findings."""
    known = {
        "": list(Sections.model_fields),
        "plugins": list(PluginSettings.model_fields),
        "target": list(TargetSettings.model_fields),
        "input": list(InputSettings.model_fields),
        "verify": list(VerifySettings.model_fields),
    }
    for item in error.errors():
        path = [str(p) for p in item["loc"]]
        found = f"{'.'.join(path)} = {item.get('input')!r}"
        if item["type"] == "extra_forbidden":
            names = known.get(path[0] if len(path) > 1 else "", [])
            yield Diagnostic(
                code="HW101",
                title="unknown setting",
                where=source,
                found=found,
                supported=", ".join(names),
                help=did_you_mean(path[-1], names) or "remove it",
            )
        elif item["type"] == "string_pattern_mismatch":
            legal = item["ctx"]["pattern"].strip("^()$").split("|")
            finding = illegal_setting("illegal setting", source, found)
            guess = did_you_mean(str(item["input"]), legal)
            yield replace(finding, supported=", ".join(legal), help=guess or finding.help)
        else:
            message = item["msg"].removeprefix("Value error, ")
            yield illegal_setting("illegal setting", source, f"{found}: {message}")


def illegal_setting(title: str, where: str, found: str) -> Diagnostic:
    """Return HW102, about a setting that has an illegal value."""
    return Diagnostic(
        code="HW102",
        title=title,
        where=where,
        found=found,
        help="see docs/settings.md for every setting and its legal values",
    )
