"""Compiles a model to a design: settings, board and plugins, frontend, passes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx

from hwflow import frontends
from hwflow.codegen.golden.definitions import with_definitions
from hwflow.codegen.hls.kernels import check_kernels
from hwflow.codegen.hls.streams import check_depths
from hwflow.codegen.packages import missing_packages
from hwflow.core.board import Board
from hwflow.core.config import Config, read_config, read_settings, with_arguments
from hwflow.core.digests import content_digest
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.custom.plugins import Plugins, load_plugins, refuse_unasked
from hwflow.ir.op import Op
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.passes import Context, run_pipeline
from hwflow.project.advice.biases import wide_biases
from hwflow.project.compiled import Origin
from hwflow.project.design import Design
from hwflow.project.target import board_of, target_of
from hwflow.report.manifest.provenance import provenance
from hwflow.simulate.ports.data import Proposals, taken_from_data
from hwflow.verify.verdict.findings import rounding_warnings


def compile(  # noqa: A001 - the name that users expect; the builtin has no place in this package
    source: Any,
    *,
    example: Any = None,
    board: str | Path | None = None,
    config: Config | Mapping[str, Any] | str | Path | None = None,
    plugins: Sequence[str | Path | ModuleType | type[Op]] = (),
    weights: str | Path | None = None,
    trust: bool = False,
    data: Any = None,
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
        trust: let a Keras file, and a settings file, name what runs code of its own.
        data: what ``Design.simulate`` takes, or a folder of data files. Types of inputs that
            neither the model nor the settings say are taken from it; ``Design.config`` then has
            them. It is read only where an input needs it.
        target: entries of ``[target]`` that override the settings: ``backend``, ``io_type``,
            ``clock_period_ns``, ``strategy``, ``reuse_factor``, ``calibration``.

    Raises:
        CompileError: the model, the settings or the board cannot be used; carries every finding.
    """
    settings = _settings(config, {**target, "board": board and str(board)})
    findings = list(settings.findings)
    found = board_of(settings, findings)
    aim, unfitting = target_of(settings, found, findings)
    with _all_at_once(findings):
        if isinstance(config, (str, Path)) and not trust:
            refuse_unasked(settings, plugins)
        context = Context(config=settings, target=aim, findings=findings)
        operators = [*(settings.folder / path for path in settings.plugins), *plugins]
        model = _Model(source, example, operators, weights, trust)
        design = _compile(model, found, context, data)
    return replace(design, warnings=(*design.warnings, *unfitting))


@dataclass(frozen=True)
class _Model:
    """What names a model: what ``load`` takes, and the operators that may be in it."""

    source: Any
    example: Any
    plugins: Sequence[str | Path | ModuleType | type[Op]]
    weights: str | Path | None
    trust: bool

    def load(self) -> QonnxModel:
        """Read the model."""
        return frontends.load(self.source, self.example, weights=self.weights, trust=self.trust)


def _compile(named: _Model, board: Board, context: Context, data: Any) -> Design:
    """Compile as far as the settings can be taken; the context has findings about the others."""
    seconds: dict[str, float] = {}
    started = time.perf_counter()
    operators = load_plugins(named.plugins)
    with _explained_by(operators):
        model = named.load()
        read, digest = _reader(named.source, model)
    seconds["import"] = time.perf_counter() - started
    proposed = Proposals(data, [v.name or "" for v in model.ir.graph.inputs])
    context = replace(context, data=proposed.types, source=model.source)
    with _explained_by(operators):
        runnable, missing = with_definitions(
            read, model, replace(context, findings=[], taken={}, declared={}, unsettled=[])
        )
        graph = run_pipeline(model, context, timed=partial(_note_pass, seconds))
        check_kernels(graph, context.target)
        check_depths(graph, context.target)
    warnings = (
        *model.warnings, *operators.warnings, *missing,
        *(taken_from_data(n, proposed.by_input[n], model.source) for n in context.taken),
        *rounding_warnings(graph), *wide_biases(graph, context.target),
        *missing_packages(graph),
    )  # fmt: skip
    return Design(
        graph=graph,
        target=context.target,
        board=board,
        config=replace(context.config, inputs={**context.config.inputs, **context.taken}),
        source=model.source,
        warnings=warnings,
        origin=Origin(
            read=partial(_active_call, operators, read),
            runnable=None if missing else partial(_active_call, operators, runnable),
            digest=digest,
            unsettled=context.unsettled[0],
            declared=context.declared,
            provenance=provenance(named.source, named.weights, operators.operators),
        ),
        seconds=seconds,
    )


@contextmanager
def _all_at_once(findings: Sequence[Diagnostic]) -> Iterator[None]:
    """Raise what is wrong with the settings, together with what else is found."""
    try:
        yield
    except CompileError as error:
        if not findings:
            raise
        raise CompileError([*findings, *error.diagnostics]) from error
    if findings:
        raise CompileError(findings)


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


def _settings(config: Any, arguments: Mapping[str, Any]) -> Config:
    """Return what can be taken of the settings, and of the arguments that override them."""
    if isinstance(config, (str, Path)):
        settings = read_config(Path(config))
    elif isinstance(config, Config):
        settings = config
    else:
        settings = read_settings(config or {})
    return with_arguments(settings, arguments)


def _reader(source: Any, model: QonnxModel) -> tuple[Callable[[], QonnxModel], str]:
    """Return how to get the model as it was before the passes, and a digest of it."""
    if isinstance(source, (str, Path)) and Path(source).suffix == ".onnx":
        return lambda: frontends.load(source), content_digest(Path(source).read_bytes())
    import onnx_ir

    proto = onnx_ir.to_proto(model.ir)
    content = proto.SerializeToString(deterministic=True)

    def read() -> QonnxModel:
        return frontends.load(onnx.ModelProto.FromString(content))

    return read, content_digest(content)
