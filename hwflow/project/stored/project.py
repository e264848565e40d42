"""A project in a folder: what of it is run, and what is not as it should be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hwflow.codegen.golden.model import GoldenModel
from hwflow.codegen.project import MARKER
from hwflow.core.errors import CompileError, ToolError
from hwflow.ir.qonnx.model import printable
from hwflow.project.design import Design
from hwflow.project.source import GOLDEN_FILE, HLS_FOLDER, SETTINGS_FILE
from hwflow.project.stored.edits import Edit, edits
from hwflow.project.stored.findings import not_ours, tool_said, unasked

MOST = 5
"""Edited files that an error names."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredProject:
    """A project in a folder.

    Attributes:
        folder: where it lies.
        design: the kept model, compiled. Its ``project`` and ``golden`` are those in the folder
            where that is trusted, else what hwflow generates.
        files: how many files hwflow wrote.
        recorded: those that are not as their recorded digests say, or gone.
        plugins: paths of plugins that the settings name and that were not loaded.
        trusted: run what lies in the folder, whatever it is.
    """

    folder: Path
    design: Design
    files: int
    recorded: tuple[str, ...]
    plugins: tuple[str, ...] = ()
    trusted: bool = False

    @cached_property
    def edits(self) -> tuple[Edit, ...]:
        """What would be compiled or run and is not as hwflow generates it.

        Raises:
            ToolError: hls4ml, or da4ml for distributed arithmetic, is missing.
        """
        generated = replace(self.design, stored=None, stored_golden=None)
        found = tuple(edits(self.folder, generated if self.trusted else self.design))
        if not self.plugins:
            return found
        named = printable(", ".join(self.plugins))
        return (Edit(SETTINGS_FILE, f"names plugins, which hwflow does not write: {named}"), *found)

    @property
    def runs(self) -> bool:
        """Whether the C++ in the folder may be run: it is trusted, or what hwflow generates."""
        return self.trusted or not self.edits

    @property
    def changed(self) -> tuple[str, ...]:
        """What is not as it should be, one line for each file.

        Of a trusted project that is what its recorded digests say: another version of hwflow may
        have written it. Else it is what hwflow does not generate like that, as well.
        """
        if self.trusted and not self.recorded:
            return ()
        known = {edit.path: str(edit) for edit in self.edits}
        others = {path: known.get(path, printable(path)) for path in self.recorded}
        return tuple((others if self.trusted else known | others).values())

    @cached_property
    def judged(self) -> Design:
        """The design without a golden model where the one in the folder is none of hwflow's."""
        if self.trusted or self.design.golden.content is None:
            return self.design
        why = ""
        if not (self.folder / GOLDEN_FILE).exists():
            why = f"there is no {GOLDEN_FILE} in the project"
        elif any(edit.path == GOLDEN_FILE for edit in self.edits):
            why = f"{GOLDEN_FILE} is not what hwflow generates"
        if not why:
            return self.design
        return replace(self.design, stored_golden=GoldenModel(None, reason=why))

    def refuse_plugins(self) -> None:
        """Refuse a project whose settings name plugins that were not loaded.

        Raises:
            CompileError: HW557.
        """
        if self.plugins:
            raise CompileError([unasked(self.folder, self.plugins)])

    def predict(self, x: Any) -> Any:
        """Return what the hardware gives for data, bit for bit, as hls4ml's bridge does.

        Args:
            x: an array for a single input, a list of arrays in the inputs' order, arrays by input
                name, or the path of a data file; shapes are those of the model, batch first.

        Returns:
            float64 in the model's shape: an array, or a list of them in the outputs' order.

        Raises:
            CompileError: the data does not suit the inputs.
        """
        if isinstance(x, (list, tuple)):
            x = {port.name: a for port, a in zip(self.design.graph.inputs, x, strict=True)}
        batches = list(self.judged.stream(x))
        names = [port.name for port in self.design.graph.outputs]
        found = [np.concatenate([batch.outputs[name] for batch in batches]) for name in names]
        return found if len(found) > 1 else found[0]

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Let edited C++ be compiled and run; what goes wrong is told with the edit.

        Raises:
            CompileError: HW555, an edit made the C++ something that is not compiled or run.
        """
        try:
            yield
        except (AssertionError, LookupError, ValueError, ToolError) as error:
            if not (self.trusted and self.changed):
                raise
            said = f"\n{tool_said(error)}" if isinstance(error, ToolError) else ""
            found = f"changed: {'; '.join(self.changed[:MOST])}{said}"
            raise CompileError([not_ours(f"{self.folder}/{HLS_FOLDER}", found)]) from error


def is_project(path: Path) -> bool:
    """Return whether a path is a folder that hwflow wrote."""
    return path.is_dir() and (path / MARKER).is_file()
