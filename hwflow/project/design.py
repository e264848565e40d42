"""From a model to a verified, estimated project; the command line is a thin shell over this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.codegen.packages import require_packages
from hwflow.codegen.project import Project
from hwflow.core.digests import content_digest
from hwflow.estimate.report import EstimateReport
from hwflow.ir.notebook import html_table
from hwflow.ir.text import print_graph
from hwflow.project.compiled import Compiled
from hwflow.project.vectors.collection import SAMPLES, covering_vectors, simulated_vectors
from hwflow.project.vectors.record import Vectors
from hwflow.project.verifier import Progress, Verifier
from hwflow.report.data import ReportData, Subject, report_data
from hwflow.simulate.numpy import Simulation, simulate
from hwflow.simulate.samples import as_data
from hwflow.verify.verification import Verification

if TYPE_CHECKING:
    from hwflow.simulate.stream.run import Batch
    from hwflow.synthesis.comparison import Comparison

SHOWN = 16
"""Lines that ``repr`` of a design has at most."""


@dataclass(kw_only=True, eq=False, repr=False)
class Design(Compiled):
    """A compiled model, with all that can be done with it; ``Compiled`` names its data."""

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
            source: see ``simulate``; or the path of a folder of data files; or an iterable of
                arrays or of dicts of arrays by input name (labels as ``y``), batch first.
            engine: ``golden``, ``numpy`` or ``torch``, which give the same bits; None for the
                golden model, or numpy where there is none.
            device: device of torch: ``cpu``, ``cuda`` or ``cuda:N``.
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
            data: see ``simulate``; with labels (``y``) accuracies are given too.
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
        verifier = Verifier(compiled=self, given=as_data(data, self.graph), progress=progress)
        return verifier.verify(cpp=cpp, reproducer=reproducer, float_model=float_model)

    def vectors(self, data: Any = None, *, samples: int = SAMPLES, cover: bool = False) -> Vectors:
        """Return what enters and leaves the hardware for some samples.

        Args:
            data: see ``simulate``.
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

    def estimate(self) -> EstimateReport:
        """Return estimated resources and timing, per layer and in total, against the board.

        Where the board may not hold the design, a warning says what would make it fit.
        """
        with self.timed("estimate"):
            return self.estimated

    def report(
        self, verification: Verification | None = None, synthesis: Comparison | None = None
    ) -> ReportData:
        """Return everything known about the design; ``hwflow.report`` renders it.

        Args:
            verification: what was found out with data.
            synthesis: reports of vendor tools held against the estimate.
        """
        return report_data(
            Subject(
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
                    "model": self.origin.digest,
                    "config": content_digest(repr(self.config).encode()),
                    "project": self.project.digest,
                },
                seconds=self.seconds,
                source=self.source,
                synthesis=synthesis,
                streams=self.streams,
            )
        )

    def write(self, folder: str | Path, verification: Verification | None = None) -> Path:
        """Write project, reports, model, settings, graph and manifest to a folder, or nothing.

        Args:
            folder: new, empty, or written by hwflow before.
            verification: what was found out with data, for the report; its first samples become
                the test vectors.

        Raises:
            CompileError: the folder cannot be used; HW504, no back end builds for the board.
            ToolError: hls4ml, or da4ml for distributed arithmetic, is missing.
        """
        from hwflow.project.buildable import require_buildable
        from hwflow.project.contents import MEASURED, build_files
        from hwflow.report.manifest.writer import Build

        require_buildable(self)
        build = Build(
            graph=self.graph,
            target=self.target,
            board=self.board,
            config=self.config,
            model=self.origin.read(),
            provenance=self.origin.provenance,
            report=self.report(verification),
            verification=verification,
        )
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
