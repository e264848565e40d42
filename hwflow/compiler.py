"""From a model to a design: settings, board and plugins, frontend, passes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx

from hwflow import frontends
from hwflow.board import load_board
from hwflow.codegen.kernels import check_kernels
from hwflow.config import Config, load_config, make_config
from hwflow.design import Design
from hwflow.errors import CompileError
from hwflow.golden.definitions import with_definitions
from hwflow.ir.op import Op, Target
from hwflow.ir.qonnx import QonnxModel
from hwflow.manifest.digests import content_digest
from hwflow.manifest.provenance import provenance
from hwflow.passes import Context, run_pipeline
from hwflow.passes.settle_inputs import input_warnings
from hwflow.plugins import Plugins, load_plugins


def compile(  # noqa: A001 - the name that users expect; the builtin has no place in this package
    source: Any,
    *,
    example: Any = None,
    board: str | Path | None = None,
    config: Config | Mapping[str, Any] | str | Path | None = None,
    plugins: Sequence[str | Path | ModuleType | type[Op]] = (),
    weights: str | Path | None = None,
    trust: bool = False,
    **target: Any,
) -> Design:
    """Compile a model to a hardware design.

    Args:
        source: what ``load`` takes, or what it returned.
        example: an input, for a live torch module.
        board: name of a board profile, or path of one; overrides the settings.
        config: settings as an object, nested dictionaries, or the path of a ``hwflow.toml``.
        plugins: operators beside hwflow's own and those of installed packages: paths of Python
            files or package folders, modules, or ``Op`` subclasses. Files are run.
        weights: the file with the weights of a Keras ``.json``, if not the one beside it.
        trust: let a Keras file name what runs code of its own.
        target: entries of ``[target]`` that override the settings: ``backend``, ``io_type``,
            ``clock_period_ns``, ``strategy``, ``reuse_factor``.

    Raises:
        CompileError: the model, the settings or the board cannot be used; carries every finding.
    """
    seconds: dict[str, float] = {}
    settings = _settings(config, board, target)
    device = load_board(settings.target.board)
    started = time.perf_counter()
    operators = load_plugins([*(settings.folder / path for path in settings.plugins), *plugins])
    with _explained_by(operators):
        model = frontends.load(source, example, weights=weights, trust=trust)
        again, digest = _again(source, model)
    seconds["import"] = time.perf_counter() - started
    machine = Target(
        settings.target.backend,
        settings.target.io_type,
        device.part,
        settings.target.clock_period_ns or device.clock_period_ns,
    )
    context = Context(settings, machine)
    with _explained_by(operators):
        defined, missing = with_definitions(again, model, context)
        timed = partial(_note_pass, seconds)
        graph = run_pipeline(model, context, timed=timed)
        check_kernels(graph, machine)
    warnings = (*model.warnings, *operators.warnings, *missing, *input_warnings(graph))
    return Design(
        graph, machine, device, settings, model.source, warnings,
        partial(_active_call, operators, defined), digest, not missing, seconds,
        partial(_active_call, operators, again),
        provenance=provenance(source, weights, operators.operators),
    )  # fmt: skip


def _note_pass(seconds: dict[str, float], name: str, taken: float) -> None:
    seconds[f"pass {name}"] = taken


def _active_call(operators: Plugins, load: Callable[[], QonnxModel]) -> QonnxModel:
    """Return a model, read with the operators of plugins known."""
    with operators.active():
        return load()


@contextmanager
def _explained_by(operators: Plugins) -> Iterator[None]:
    """Let models use plugins; an error tells of those that could not be loaded, too."""
    try:
        with operators.active():
            yield
    except CompileError as error:
        if not operators.warnings:
            raise
        raise CompileError([*error.diagnostics, *operators.warnings]) from error


def _settings(config: Any, board: str | Path | None, target: Mapping[str, Any]) -> Config:
    if isinstance(config, (str, Path)):
        settings = load_config(Path(config))
    elif isinstance(config, Config):
        settings = config
    else:
        settings = make_config(config or {})
    given = {**target, "board": board and str(board)}
    overrides = {k: v for k, v in given.items() if v is not None}
    if not overrides:
        return settings
    merged = {**settings.target.model_dump(exclude_none=True), **overrides}
    return replace(settings, target=make_config({"target": merged}).target)


def _again(source: Any, model: QonnxModel) -> tuple[Callable[[], QonnxModel], str]:
    """Return how to get the model as it was before the passes, and a digest of it."""
    if isinstance(source, (str, Path)) and Path(source).suffix == ".onnx":
        return lambda: frontends.load(source), content_digest(Path(source).read_bytes())
    import onnx_ir

    proto = onnx_ir.to_proto(model.ir)
    content = proto.SerializeToString(deterministic=True)

    def again() -> QonnxModel:
        return frontends.load(onnx.ModelProto.FromString(content))

    return again, content_digest(content)
