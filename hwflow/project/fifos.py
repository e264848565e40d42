"""The FIFOs of a model or of a written project: what ``hwflow fifo`` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwflow.codegen.hls.streams import Streams
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design
from hwflow.project.stored import is_project, open_project, refuse_options
from hwflow.report.fifos import Tried, fifos_data, tried
from hwflow.report.parts import FifosData

IO_TYPE = "io_stream"
"""What a model is compiled with, whatever its settings say."""


def fifos_of(
    path: Path,
    depths: Mapping[str, int],
    *,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
    **options: Any,
) -> tuple[Design, FifosData, Tried]:
    """Return a design, its FIFOs, and what becomes of it with other depths.

    Args:
        path: a model file, or a folder that ``Design.write`` wrote.
        depths: depths to try, by FIFO or layer.
        plugins: see ``compile``.
        trust: see ``compile`` and ``open_project``.
        options: options of ``compile``; a project has its own.

    Raises:
        CompileError: what ``compile`` and ``open_project`` find; HW101, no FIFO has that name;
            HW122, a project in io_parallel has none; HW556, options are given for a project.
    """
    if is_project(path):
        refuse_options(path, options, "--depth, --plugin")
        design = open_project(path, plugins, trust=trust).design
    else:
        asked = {**options, "io_type": options.get("io_type") or IO_TYPE}
        design = compile_model(path, plugins=plugins, trust=trust, **asked)
    streams = _streams(design)
    return design, fifos_data(streams, design.target.backend), tried(streams, depths)


def _streams(design: Design) -> Streams:
    if design.streams is None:
        raise CompileError(
            [
                Diagnostic(
                    code="HW122",
                    title="a design without FIFOs",
                    where=design.source,
                    found="io_type = io_parallel",
                    supported="io_stream, where layers pass tokens through FIFOs",
                    help="build it with --io-type io_stream",
                )
            ]
        )
    return design.streams
