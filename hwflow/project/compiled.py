"""A model compiled to a hardware graph: its data, and results that are built when asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from hwflow.codegen.hls.streams import Streams, streams_of
from hwflow.codegen.project import Project
from hwflow.core.board import Board
from hwflow.core.config import Config
from hwflow.core.errors import Diagnostic
from hwflow.estimate.graph import estimate
from hwflow.estimate.report import EstimateReport
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.project.advice.fit import fit_warnings
from hwflow.project.advice.narrowing import narrowing
from hwflow.project.advice.trial import Settled
from hwflow.report.manifest.provenance import Provenance
from hwflow.simulate import cpp

if TYPE_CHECKING:
    from hwflow.codegen.golden.model import GoldenModel


@dataclass(frozen=True, kw_only=True, eq=False)
class Origin:
    """What a design was compiled from.

    Attributes:
        read: reads the model anew, as it was before the passes.
        runnable: the same with functions for the operators that only plugins define, so that stock
            ONNX Runtime runs it; None where a plugin gives no such function.
        digest: SHA-256 of the model.
        unsettled: the graph before strategies and reuse factors were applied.
        declared: the types of results that have narrower ones in the graph, by layer.
        provenance: the files that it was read from.
    """

    read: Callable[[], QonnxModel] = field(repr=False)
    runnable: Callable[[], QonnxModel] | None = field(repr=False)
    digest: str
    unsettled: Graph = field(repr=False)
    declared: Mapping[str, FixedType] = field(default_factory=dict, repr=False)
    provenance: Provenance = field(default_factory=Provenance)


@dataclass(kw_only=True, eq=False, repr=False)
class Compiled:
    """A model compiled to a hardware graph, with what is generated from it.

    Attributes:
        graph: the hardware graph.
        target: what the hardware is generated for.
        board: the device it is compared with.
        config: the settings it was compiled with.
        source: how the model is called in messages.
        warnings: findings that do not stop a build.
        origin: what it was compiled from.
        seconds: time taken by stage.
        stored: the generated project as it lies in a folder, in the place of a new one.
        stored_golden: its golden model, in the same case.
    """

    graph: Graph
    target: Target
    board: Board
    config: Config
    source: str
    warnings: tuple[Diagnostic, ...]
    origin: Origin
    seconds: dict[str, float] = field(default_factory=dict)
    stored: Project | None = None
    stored_golden: GoldenModel | None = None

    @cached_property
    def project(self) -> Project:
        """The generated HLS project, in memory."""
        if self.stored is not None:
            return self.stored
        from hwflow.codegen.hls.model import generate

        with self.timed("generate"):
            return generate(self.graph, self.target, self.streams)

    @cached_property
    def streams(self) -> Streams | None:
        """The streams of the project with the depths of their FIFOs; None in io_parallel."""
        with self.timed("FIFO depths"):
            return streams_of(self.graph, self.target) if self.target.streams else None

    @cached_property
    def csim(self) -> cpp.Csim:
        """The project compiled with g++; from the cache where nothing changed."""
        project = self.project
        with self.timed("compile C++"):
            return cpp.build(self.graph, project, self.target)

    @cached_property
    def golden(self) -> GoldenModel:
        """The hardware as an ONNX model that stock ONNX Runtime runs bit for bit."""
        from hwflow.codegen.golden.model import try_golden_model

        if self.stored_golden is not None:
            return self.stored_golden
        with self.timed("golden model"):
            return try_golden_model(self.graph)

    @cached_property
    def estimated(self) -> EstimateReport:
        """Resources and timing against the board, with advice where that may not hold them."""
        fifos = None if self.streams is None else self.streams.fifos
        found = estimate(self.graph, self.target, self.board, fifos=fifos)
        settled = Settled(self.origin.unsettled, self.config, self.target, self.board)
        notes = narrowing(self.graph, self.origin.declared, found, self.target)
        advice = fit_warnings(found, self.graph, settled)
        return replace(found, warnings=(*found.warnings, *advice, *notes))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note how long what is done inside takes."""
        started = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - started
