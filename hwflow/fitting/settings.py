"""Chosen settings as a ``hwflow.toml``: with all that a user had set before."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwflow.core.config import Config, settings_of
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import write_file
from hwflow.core.toml_text import toml_text
from hwflow.fitting.fitted import Fit
from hwflow.fitting.record import Plan


def chosen_config(config: Config, plan: Plan, board: str) -> Config:
    """Return settings with those of a plan.

    Args:
        config: settings that were given; those of layers stand over those that were chosen.
        plan: what was chosen.
        board: the board's name, or the path of its profile.
    """
    target = config.target.model_copy(
        update={
            "board": board,
            "io_type": plan.target.io_type,
            "clock_period_ns": plan.target.clock_period_ns,
        }
    )
    layers = {name: dict(values) for name, values in config.layers.items()}
    names = {layer.name for layer in plan.layers}  # which come before those of frameworks
    for layer in plan.layers:
        if layer.settings not in (
            {},
            {"reuse_factor": 1},
        ):  # which only layers' own settings change
            by_origin = layer.origin in config.layers and layer.origin not in names
            name = layer.origin if by_origin else layer.name
            layers[name] = {**layer.settings, **layers.get(name, {})}
    return replace(config, target=target, layers=layers)


def to_toml(found: Fit, folder: Path) -> str:
    """Return the settings of the best plan as a file, with a comment on what they give.

    Args:
        found: has a plan.
        folder: where the file will lie, which its paths are relative to.
    """
    plan, config = found.best, found.config
    assert plan is not None
    settings: dict[str, Any] = settings_of(config)
    board = config.target.board
    if board.lower().endswith(".toml"):
        settings["target"]["board"] = _relative(Path(board), folder)
    if config.plugins:
        paths = [_relative(config.folder / path, folder) for path in config.plugins]
        settings["plugins"] = {"paths": paths}
    total, budgets = plan.report.total, ", ".join(map(str, found.budgets))
    lines = [
        f"# hwflow fit: least {'II' if found.goal == 'throughput' else found.goal} on "
        f"{plan.board.name}" + (f", with {budgets}" if budgets else ""),
        f"# estimated: latency {plan.latency_ns:,.0f} ns, II {total.ii.value:,.0f} cycles, "
        f"area {plan.area:.1f} % of the board",
    ]
    return "\n".join([*lines, "", toml_text(settings)])


def _relative(path: Path, folder: Path) -> str:
    """Return a path as seen from a folder, with slashes."""
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def check_out(path: Path) -> None:
    """Make sure that nothing is in the way of a file that nobody asked to write over.

    Raises:
        CompileError: HW532, there is a file.
    """
    if path.exists():
        raise CompileError(
            [
                Diagnostic(
                    code="HW532",
                    title="settings file exists",
                    where=str(path),
                    found="a file that is not written over unless it is named",
                    help=f"-o {path} writes over it, another name leaves it",
                )
            ]
        )


def write_settings(found: Fit, path: Path) -> Path:
    """Write the settings of the best plan, whole or not at all.

    Raises:
        CompileError: HW552, the file cannot be written.
    """
    return write_file(path, to_toml(found, path.parent).encode(), parents=True)
