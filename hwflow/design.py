"""From a model to a verified, estimated project; the command line is a thin shell over this."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hwflow import csim
from hwflow.board import Board
from hwflow.codegen.project import Project
from hwflow.config import Config
from hwflow.data import Data, as_data
from hwflow.errors import Diagnostic
from hwflow.estimate import EstimateReport, estimate
from hwflow.ir.graph import Graph
from hwflow.ir.notebook import html_table
from hwflow.ir.op import Target
from hwflow.ir.qonnx import QonnxModel
from hwflow.ir.text import print_graph
from hwflow.lossless import ModelValues, check_lossless
from hwflow.report.data import ReportData, report_data
from hwflow.simulate import Simulation, original_inputs, real_values, simulate
from hwflow.verify import (
    Agreement,
    OutputError,
    Verification,
    check_faithful,
    full_simulation,
    output_error,
)

Progress = Callable[[str, float], None]
"""Called with the name of a stage and the share of it that is done."""


def _silent(stage: str, done: float) -> None:
    """Report progress to nobody."""


@dataclass(eq=False)
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

    @cached_property
    def project(self) -> Project:
        """The generated HLS project, in memory."""
        from hwflow.codegen.hls4ml import generate

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
                None for random data.
            keep_layers: return every layer's values as well.

        Raises:
            CompileError: the data does not suit the inputs.
        """
        given = as_data(data, self.graph)
        return simulate(self.graph, given.inputs, keep=lambda name: keep_layers)

    def verify(
        self,
        data: Any = None,
        *,
        cpp: bool = True,
        reproducer: Path | None = None,
        progress: Progress = _silent,
    ) -> Verification:
        """Compare simulation, compiled C++ and the trained model on data.

        Args:
            data: as for ``simulate``; with labels (``y``) accuracies are given too.
            cpp: compile the C++ and compare every layer with it.
            reproducer: where to save the first differing sample.
            progress: called as stages go on.

        Raises:
            CompileError: the data does not suit the inputs.
            ToolError: g++ is missing, or the C++ does not compile or crashes.
        """
        given = as_data(data, self.graph)
        with self._timed("simulate"):
            simulation = full_simulation(
                self.graph, given.inputs, progress=lambda n, of: progress("simulate", n / of)
            )
        lossless, errors = self._against_model(given, simulation, progress)
        faithful = None
        if cpp:
            progress("compile C++", 0.0)
            built = self.csim
            progress("compile C++", 1.0)
            with self._timed("run C++"):
                faithful = check_faithful(self.graph, built, given.inputs, simulation, reproducer)
        return Verification(
            faithful, lossless, errors, simulation, given.source, dict(self.seconds)
        )

    def _against_model(
        self, given: Data, simulation: Simulation, progress: Progress
    ) -> tuple[Agreement | None, tuple[OutputError, ...]]:
        """Return how the hardware compares with the trained model; a warning says why it cannot."""
        if not self._comparable:
            return None, ()
        real, model = self._references(given, simulation, progress)
        errors = tuple(
            output_error(p.name, simulation.outputs[p.name], real[p.name], given.labels)
            for p in self.graph.outputs
        )
        return check_lossless(self.graph, simulation, model), errors

    def _references(
        self, given: Data, simulation: Simulation, progress: Progress
    ) -> tuple[dict[str, Any], ModelValues]:
        """Return the trained model's values for the data as given, and as the ports round it.

        Only an input that the model itself does not quantise makes the two differ.
        """
        from hwflow.passes.clean_model import clean_model
        from hwflow.passes.infer_shapes import infer_shapes
        from hwflow.reference import Reference

        progress("float reference", 0.0)
        with self._timed("float reference"):
            model = infer_shapes(clean_model(self._model()))
            values = quantized_values(model, self.graph)
            reference = Reference(model)
            raw = original_inputs(self.graph, given.inputs)
            real = at_port = reference.run(raw, values)
            if not self._inputs_quantized(values):
                raw = {
                    p.name: real_values(simulation.layers[p.value], p) for p in self.graph.inputs
                }
                at_port = reference.run(raw, values)
        progress("float reference", 1.0)
        exact, problem = self._exactly(model, raw, values, progress)
        return real, ModelValues(at_port, exact, frozenset(values), problem)

    def _exactly(
        self, model: QonnxModel, data: dict[str, Any], values: list[str], progress: Progress
    ) -> tuple[dict[str, Any] | None, str]:
        """Return the model's values in exact arithmetic, or None and why there are none."""
        from hwflow.exact import ExactReference, NoExactReferenceError

        progress("exact reference", 0.0)
        try:
            with self._timed("exact reference"):
                found = ExactReference(model).run(data, values)
        except NoExactReferenceError as problem:
            return None, str(problem)
        progress("exact reference", 1.0)
        return found, ""

    def _inputs_quantized(self, values: list[str]) -> bool:
        """Return whether every port carries the value of one of the model's quantisers."""
        nodes = [self.graph.by_name[p.value] for p in self.graph.inputs]
        return all(n.source is not None and n.source.name in values for n in nodes)

    def estimate(self) -> EstimateReport:
        """Return estimated resources and timing, per layer and in total, against the board."""
        with self._timed("estimate"):
            return estimate(self.graph, self.target, self.board)

    def report(self, verification: Verification | None = None) -> ReportData:
        """Return everything known about the design; ``hwflow.report`` renders it."""
        return report_data(
            graph=self.graph,
            target=self.target,
            board=self.board,
            estimate=self.estimate(),
            verification=verification,
            warnings=self.warnings,
            digests={
                "model": self._model_digest,
                "config": digest_of(repr(self.config).encode()),
                "project": self.project.digest,
            },
            seconds=self.seconds,
            source=self.source,
        )

    def write(self, folder: str | Path, verification: Verification | None = None) -> Path:
        """Write project, reports and the printed graph to a folder, all or nothing.

        Args:
            folder: new, empty, or written by hwflow before.
            verification: what was found out with data, for the report.

        Raises:
            CompileError: the folder cannot be used.
            ToolError: hls4ml, or da4ml for distributed arithmetic, is missing.
        """
        from hwflow.report.html import to_html
        from hwflow.report.json import to_json
        from hwflow.report.markdown import to_markdown

        data = self.report(verification)
        files = {f"hls/{path}": content for path, content in self.project.files.items()}
        texts = {
            "report.html": to_html(data),
            "report.json": to_json(data),
            "report.md": to_markdown(data),
            "graph.txt": print_graph(self.graph),
        }
        files |= {path: text.encode() for path, text in texts.items()}
        return Project(self.graph.name, files).write(Path(folder))

    def _repr_html_(self) -> str:
        """Return a table of the layers, for notebooks."""
        types = self.graph.types
        return html_table(
            f"{self.source} on {self.board.name}, {self.target.io_type}",
            ("layer", "operator", "shape", "type"),
            (
                (n.name, n.op.kind, "x".join(map(str, types[n.name].shape)), types[n.name].dtype)
                for n in self.graph.nodes
            ),
        )

    def __repr__(self) -> str:
        """Return the printed graph with a line about the target."""
        head = f"{self.source} on {self.board.name}, {self.target.io_type}"
        return f"{head}\n{print_graph(self.graph)}"

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - started


def quantized_values(model: QonnxModel, graph: Graph) -> list[str]:
    """Return the ONNX values that the hardware holds and a quantiser gives."""
    from hwflow.ir.qonnx import is_quantizer

    held = {node.source.name for node in graph.nodes if node.source is not None}
    return [
        value.name
        for node in model.ir.graph
        if is_quantizer(node)
        for value in node.outputs
        if value.name and value.name in held
    ]


def digest_of(content: bytes) -> str:
    """Return the SHA-256 digest that stands for a file's content."""
    return hashlib.sha256(content).hexdigest()
