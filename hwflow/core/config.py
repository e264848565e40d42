"""``hwflow.toml``: what a user may set, validated strictly and all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import read_limited
from hwflow.core.limits import VerifySettings
from hwflow.core.settings import TargetSettings, illegal_setting, parse_sections
from hwflow.core.toml_text import parse_toml
from hwflow.fixed import FixedType

MAX_BYTES = 2**20
"""Longest settings file that is read."""

TYPE_SETTINGS = ("result_t", "accum_t", "table_t", "scale_t", "bias_t")
"""Layer settings that hold a fixed-point type."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one compilation.

    Attributes:
        target: device and defaults.
        inputs: type of an input port by its name in the model.
        layers: settings by layer name, values as the operator's fields take them.
        source: where the settings come from, for diagnostics.
        plugins: Python files and packages with operators, as the file names them.
        folder: what the paths of plugins are relative to; where the file lies.
        verify: limits of ``hwflow verify``.
        arguments: entries of ``target`` that do not come from ``source`` but were given beside it.
        findings: what could not be taken.
    """

    target: TargetSettings = field(default_factory=TargetSettings)
    inputs: Mapping[str, FixedType] = field(default_factory=dict)
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: str = "the defaults"
    plugins: tuple[str, ...] = ()
    folder: Path = field(default=Path(), repr=False)
    verify: VerifySettings = field(default_factory=VerifySettings)
    arguments: frozenset[str] = field(default=frozenset(), repr=False)
    findings: tuple[Diagnostic, ...] = field(default=(), repr=False)

    def place_of(self, entry: str) -> str:
        """Return where an entry of ``target`` was set, for diagnostics."""
        return "the arguments" if entry in self.arguments else f"[target] in {self.source}"


def load_config(path: Path) -> Config:
    """Return the settings in a TOML file.

    Raises:
        CompileError: the file cannot be read, is not TOML, or holds something that is not a
            setting; carries every finding.
    """
    return _whole(read_config(path))


def read_config(path: Path) -> Config:
    """Return what can be taken of the settings in a TOML file, and findings about the rest.

    Raises:
        CompileError: the file cannot be read, or is not TOML.
    """
    try:
        content = read_limited(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise CompileError([_unreadable(str(path), found)]) from error
    try:
        settings = parse_toml(content)
    except ValueError as error:
        raise CompileError([_unreadable(path.name, f"not TOML: {error}")]) from error
    config = read_settings(settings, path.name, folder=path.parent)
    return replace(config, target=_with_files_beside(config.target, path.parent))


def _with_files_beside(target: TargetSettings, folder: Path) -> TargetSettings:
    """Return target settings with paths of profiles relative to the settings' folder."""
    profiles = {}
    if target.board.lower().endswith(".toml"):
        profiles["board"] = str(folder / target.board)
    if target.calibration is not None:
        profiles["calibration"] = str(folder / target.calibration)
    return target.model_copy(update=profiles)


def make_config(
    settings: Mapping[str, Any], source: str = "the arguments", *, folder: Path = Path()
) -> Config:
    """Return settings given as nested dictionaries, in the form of ``hwflow.toml``.

    Args:
        settings: the nested dictionaries.
        source: where they come from, for diagnostics.
        folder: what paths in them are relative to.

    Raises:
        CompileError: carries every finding.
    """
    return _whole(read_settings(settings, source, folder=folder))


def read_settings(
    settings: Mapping[str, Any], source: str = "the arguments", *, folder: Path = Path()
) -> Config:
    """Return what can be taken of settings as for ``make_config``, and findings about the rest."""
    findings: list[Diagnostic] = []
    parsed = parse_sections(settings, source, findings)
    layers = {
        name: dict(_layer(name, values, source, findings)) for name, values in parsed.layer.items()
    }
    inputs = {name: FixedType.parse(entry.type) for name, entry in parsed.input.items()}
    return Config(
        target=parsed.target,
        inputs=inputs,
        layers=layers,
        source=source,
        plugins=tuple(parsed.plugins.paths),
        folder=folder,
        verify=parsed.verify,
        findings=tuple(findings),
    )


def with_arguments(config: Config, arguments: Mapping[str, Any]) -> Config:
    """Return settings with entries of ``[target]`` that were given beside them.

    Args:
        config: the settings.
        arguments: arguments by name; None stands for nothing.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    found = read_settings({"target": given})
    taken = {name: getattr(found.target, name) for name in found.target.model_fields_set}
    return replace(
        config,
        target=config.target.model_copy(update=taken),
        arguments=frozenset(taken),
        findings=(*config.findings, *found.findings),
    )


def _whole(config: Config) -> Config:
    if config.findings:
        raise CompileError(config.findings)
    return config


def settings_of(config: Config) -> dict[str, Any]:
    """Return settings as nested dictionaries, in the form of ``hwflow.toml``, without plugins."""
    layers = {
        name: {k: str(v) if isinstance(v, FixedType) else v for k, v in values.items()}
        for name, values in config.layers.items()
    }
    content = {
        "target": config.target.model_dump(exclude_none=True),
        "input": {name: {"type": str(dtype)} for name, dtype in config.inputs.items()},
        "layer": layers,
        "verify": config.verify.model_dump(exclude_defaults=True),
    }
    return {section: settings for section, settings in content.items() if settings}


def _layer(
    name: str, values: Mapping[str, Any], source: str, findings: list[Diagnostic]
) -> Iterator[tuple[str, Any]]:
    """Yield the settings of a layer, types parsed."""
    for key, value in values.items():
        if key not in TYPE_SETTINGS:
            yield key, value
            continue
        try:
            yield key, FixedType.parse(str(value))
        except (ValueError, OverflowError) as error:
            where = f"[layer.{name}] in {source}"
            findings.append(illegal_setting("not a fixed-point type", where, f"{key}: {error}"))


def _unreadable(where: str, found: str) -> Diagnostic:
    return Diagnostic(
        code="HW100",
        title="settings cannot be read",
        where=where,
        found=found,
        help="check the path and that the file is TOML (https://toml.io)",
    )
