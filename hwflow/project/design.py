"""A compiled model, to be verified, estimated and written; the command line is a thin shell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.codegen.packages import require_packages
from hwflow.codegen.project import Project
from hwflow.core.board import Board
from hwflow.core.config import Config
from hwflow.core.data import Data
from hwflow.core.errors import Diagnostic
from hwflow.estimate.graph import EstimateReport, estimate
from hwflow.ir.graph import Graph
from hwflow.ir.notebook import html_table
from hwflow.ir.op import Target
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.ir.text import print_graph
from hwflow.project.advice.fit import fit_warnings
from hwflow.project.advice.trial import Settled
from hwflow.project.vectors import SAMPLES, Vectors, covering_vectors, simulated_vectors
from hwflow.report.data import ReportData, report_data
from hwflow.report.manifest.digests import content_digest, data_digest
from hwflow.report.manifest.provenance import Provenance
from hwflow.simulate import cpp as csim
from hwflow.simulate.coverage.findings import data_findings
from hwflow.simulate.coverage.goals import Goals
from hwflow.simulate.coverage.meter import Meter
from hwflow.simulate.numpy import Simulation, simulate
from hwflow.simulate.samples import as_data
from hwflow.verify.agreement import Verification, check_faithful, full_simulation
from hwflow.verify.golden import check_golden

if TYPE_CHECKING:
    from hwflow.codegen.golden.model import GoldenModel
    from hwflow.simulate.stream.run import Batch
    from hwflow.verify.models import ModelCheck

Progress = Callable[[str, float], None]
"""A function that is called with the name of a stage and the share of it that is done."""


SHOWN = 16
"""Lines that ``repr`` of a design has at most."""


@dataclass(eq=False, repr=False)
class Design:
    """A model compiled to a hardware graph, with all that can be done with it.

    Attributes:
        graph: the hardware graph.
        target: what the hardware is generated for.
        board: the device it is compared with.
        config: the settings it was compiled with.
        source: how the model is called in messages.
        warnings: findings that do not stop a build.
        seconds: time taken by stage.
        stored: the generated project as it lies in a folder, in the place of a new one.
        stored_golden: its golden model, likewise.
        provenance: the files that it was read from.
    """

    graph: Graph
    target: Target
    board: Board
    config: Config
    source: str
    warnings: tuple[Diagnostic, ...]
    _model: Callable[[], QonnxModel]
    _model_digest: str
    _comparable: bool = True
    seconds: dict[str, float] = field(default_factory=dict)
    _source: Callable[[], QonnxModel] | None = None
    stored: Project | None = None
    provenance: Provenance = field(default_factory=Provenance)
    stored_golden: GoldenModel | None = None
    _unsettled: Graph | None = None

    @cached_property
    def project(self) -> Project:
        """The generated HLS project, in memory."""
        if self.stored is not None:
            return self.stored
        from hwflow.codegen.hls.model import generate

        with self._timed("generate"):
            return generate(self.graph, self.target)

    @cached_property
    def csim(self) -> csim.Csim:
        """The project compiled with g++; from the cache where nothing changed."""
        project = self.project
        with self._timed("compile C++"):
            return csim.build(self.graph, project, self.target)

    def simulate(self, data: Any = None, *, keep_layers: bool = False) -> Simulation:
        """Run data through the hardware graph, bit for bit as the hardware does.

        Args:
            data: an array for a single input, arrays by input name, or the path of a data file;
                None for made-up data (``hwflow.simulate.samples``).
            keep_layers: return every layer's values as well.

        Raises:
            CompileError: the data does not suit the inputs.
        """
        given = as_data(data, self.graph)
        return simulate(self.graph, given.inputs, keep=lambda name: keep_layers)

    def stream(
        self,
        source: Any,
        *,
        engine: str | None = None,
        device: str = "cpu",
        threads: int = 0,
        batch: int | None = None,
    ) -> Iterator[Batch]:
        """Run data of any size through the hardware graph, batch by batch, in constant memory.

        Args:
            source: as for ``simulate``; or the path of a folder of data files; or an iterable of
                arrays or of dicts of arrays by input name (labels as ``y``), batch first.
            engine: ``golden``, ``numpy`` or ``torch``, which give the same bits; None for the
                golden model, or numpy where there is none.
            device: of torch: ``cpu``, ``cuda`` or ``cuda:N``.
            threads: how many compute; 0 for one per core.
            batch: samples of a batch; None for what suits model and engine.

        Yields:
            Inputs, outputs and labels of samples that follow each other.

        Raises:
            CompileError: the data does not suit the inputs; or the engine does not compute the
                graph.
        """
        from hwflow.simulate.engines import batch_size, open_engine
        from hwflow.simulate.stream.run import stream
        from hwflow.simulate.stream.sources import open_source

        given = open_source(source, self.graph)
        found = open_engine(self.graph, engine, device=device, threads=threads)
        size = batch or batch_size(found, self.graph, given.samples)
        return stream(found, given, size, lambda each: each)

    def verify(
        self,
        data: Any = None,
        *,
        cpp: bool = True,
        reproducer: Path | None = None,
        float_model: Any = None,
        progress: Progress = lambda stage, done: None,
    ) -> Verification:
        """Compare simulation, golden model, C++, trained model and its float reference on data.

        Args:
            data: as for ``simulate``; with labels (``y``) accuracies are given too.
            cpp: compile the C++ and compare every layer with it.
            reproducer: where to save the first differing sample.
            float_model: the model before quantisation: what ``load`` takes, or its outputs for the
                same data as arrays or in a data file. Unless given, the model itself with
                unquantised weights and activations.
            progress: called as stages go on.

        Raises:
            CompileError: the data does not suit the inputs, or the float model does not suit the
                model.
            ToolError: g++ or da4ml is missing, or the C++ does not compile or crashes.
        """
        if cpp and self.stored is None:
            require_packages(self.graph)  # before the work that would be in vain
        given = as_data(data, self.graph)
        meter = Meter(Goals.of(self.graph))
        with self._timed("simulate"):
            simulation = full_simulation(
                self.graph, given.inputs, see=meter.see,
                progress=lambda n, of: progress("simulate", n / of),
            )  # fmt: skip
        written = self.golden
        with self._timed("run golden model"):
            golden = check_golden(self.graph, written.content, given.inputs, simulation)
        found = self._against_models(given, simulation, float_model, progress)
        faithful = None
        if cpp:
            progress("compile C++", 0.0)
            built = self.csim
            progress("compile C++", 1.0)
            with self._timed("run C++"):
                faithful = check_faithful(self.graph, built, given.inputs, simulation, reproducer)
        return Verification(
            faithful,
            found.lossless,
            found.errors,
            simulation,
            given.source,
            dict(self.seconds),
            found.budget,
            found.no_budget,
            data_digest(given),
            given.seed,
            golden,
            written.reason,
            meter.coverage,
            data_findings(
                self.graph,
                meter.coverage,
                simulation.ports,
                data=given.source,
                made_up=given.seed is not None,
            ),
        )

    def _against_models(
        self, given: Data, simulation: Simulation, float_model: Any, progress: Progress
    ) -> ModelCheck:
        """Compare with the trained model and its float reference; a warning says why not."""
        from hwflow.verify.models import NOT_RUN, ModelChecker

        if not self._comparable:
            return NOT_RUN
        checker = ModelChecker(
            self.graph, given, simulation, self._model, self._timed, progress, self.config.layers
        )
        return checker.check(float_model)

    def vectors(self, data: Any = None, *, samples: int = SAMPLES, cover: bool = False) -> Vectors:
        """Return what enters and leaves the hardware for some samples.

        Args:
            data: as for ``simulate``.
            samples: how many at most.
            cover: take the fewest found, of data and of made-up samples, that reach the most of
                every layer, as a build does; otherwise the first of the data.

        Raises:
            CompileError: the data does not suit the inputs.
            ToolError: hls4ml, or da4ml for distributed arithmetic, is missing.
        """
        parts = self.graph, self.target, self.project
        if cover:
            given = None if data is None else as_data(data, self.graph)
            return covering_vectors(*parts, given, samples)
        return simulated_vectors(*parts, as_data(data, self.graph), samples)

    @cached_property
    def golden(self) -> GoldenModel:
        """The hardware as an ONNX model that stock ONNX Runtime runs bit for bit."""
        from hwflow.codegen.golden.model import try_golden_model

        if self.stored_golden is not None:
            return self.stored_golden
        with self._timed("golden model"):
            return try_golden_model(self.graph)

    def estimate(self) -> EstimateReport:
        """Return estimated resources and timing, per layer and in total, against the board.

        Where the board may not hold the design, a warning says what would make it fit.
        """
        with self._timed("estimate"):
            return self._estimate

    @cached_property
    def _estimate(self) -> EstimateReport:
        found = estimate(self.graph, self.target, self.board)
        settled = Settled(self._unsettled or self.graph, self.config, self.target, self.board)
        return replace(found, warnings=(*found.warnings, *fit_warnings(found, self.graph, settled)))

    def report(self, verification: Verification | None = None) -> ReportData:
        """Return everything known about the design; ``hwflow.report`` renders it."""
        return report_data(
            graph=self.graph,
            target=self.target,
            board=self.board,
            estimate=self.estimate(),
            verification=verification,
            warnings=(
                *self.warnings,
                *self.golden.warnings,
                *(verification.findings if verification else ()),
            ),
            digests={
                "model": self._model_digest,
                "config": content_digest(repr(self.config).encode()),
                "project": self.project.digest,
            },
            seconds=self.seconds,
            source=self.source,
        )

    def write(self, folder: str | Path, verification: Verification | None = None) -> Path:
        """Write project, reports, model, settings, graph and manifest to a folder, or nothing.

        Args:
            folder: new, empty, or written by hwflow before.
            verification: what was found out with data, for the report; its first samples become
                the test vectors.

        Raises:
            CompileError: the folder cannot be used.
            ToolError: hls4ml, or da4ml for distributed arithmetic, is missing.
        """
        from hwflow.project.contents import MEASURED, build_files
        from hwflow.report.manifest.write import Build

        build = Build(
            self.graph, self.target, self.board, self.config, (self._source or self._model)(),
            self.provenance, self.report(verification), verification,
        )  # fmt: skip
        files = build_files(build, self.project, self.source, self.golden.content)
        return Project(self.graph.name, files, MEASURED).write(Path(folder))

    def _repr_html_(self) -> str:
        """Return a table of the layers, for notebooks."""
        types = self.graph.types
        return html_table(
            f"{self.source} on {self.board.name}, {self.target.backend}, {self.target.io_type}, "
            f"{self.target.clock_period_ns:g} ns",
            ("layer", "operator", "shape, channels last", "type", "bits", "range"),
            (
                (
                    n.name, n.op.kind, "x".join(map(str, t.shape)), t.dtype, t.dtype.width,
                    "{:g} .. {:g}".format(*(bound * t.dtype.step for bound in t.bounds)),
                )
                for n in self.graph.nodes
                for t in (types[n.name],)
            ),
        )  # fmt: skip

    def __repr__(self) -> str:
        """Return a line about the target and the printed graph, or the beginning of a long one."""
        lines = str(self).splitlines()
        if len(lines) <= SHOWN:
            return "\n".join(lines)
        shown = lines[: SHOWN - 1]
        return "\n".join([*shown, f"  ... {len(lines) - len(shown)} more lines in str()"])

    def __str__(self) -> str:
        """Return a line about the target and the printed graph."""
        head = f"{self.source} on {self.board.name}, {self.target.io_type}"
        return f"{head}\n{print_graph(self.graph)}"

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - started
