"""Compares a compiled model in all its forms: simulation, golden model, C++ and trained model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.core.data import Data
from hwflow.project.compiled import Compiled
from hwflow.report.manifest.digests import data_digest
from hwflow.simulate.coverage.findings import data_findings
from hwflow.simulate.coverage.goals import Goals
from hwflow.simulate.coverage.meter import Meter
from hwflow.simulate.numpy import Simulation
from hwflow.verify.agreement import Agreement
from hwflow.verify.comparison import check_faithful, full_simulation
from hwflow.verify.golden import check_golden
from hwflow.verify.verification import Verification

if TYPE_CHECKING:
    from hwflow.verify.models import ModelCheck

Progress = Callable[[str, float], None]
"""A function that is called with the name of a stage and the share of it that is done."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Verifier:
    """Compares what the forms of one model give for one set of data.

    Attributes:
        compiled: the model.
        given: the data.
        progress: called as stages go on.
    """

    compiled: Compiled
    given: Data
    progress: Progress

    def verify(self, *, cpp: bool, reproducer: Path | None, float_model: Any) -> Verification:
        """Return every comparison, and what the data reached.

        Args:
            cpp: compile the C++ and compare every layer with it.
            reproducer: where to save the first differing sample.
            float_model: see ``Design.verify``.

        Raises:
            CompileError: the data does not suit the inputs, or the float model the model.
            ToolError: g++ or da4ml is missing, or the C++ does not compile or crashes.
        """
        compiled, given = self.compiled, self.given
        simulation, meter = self._simulated()
        written = compiled.golden
        with compiled.timed("run golden model"):
            golden = check_golden(compiled.graph, written.content, given.inputs, simulation)
        models = self._against_models(simulation, float_model)
        faithful = self._against_cpp(simulation, reproducer) if cpp else None
        return Verification(
            faithful=faithful,
            lossless=models.lossless,
            errors=models.errors,
            simulation=simulation,
            data=given.source,
            seconds=dict(compiled.seconds),
            budget=models.budget,
            no_budget=models.no_budget,
            data_sha256=data_digest(given),
            seed=given.seed,
            golden=golden,
            no_golden=written.reason,
            coverage=meter.coverage,
            findings=data_findings(
                compiled.graph,
                meter.coverage,
                simulation.ports,
                data=given.source,
                made_up=given.seed is not None,
            ),
        )

    def _simulated(self) -> tuple[Simulation, Meter]:
        """Simulate in numpy, every layer kept."""
        graph = self.compiled.graph
        meter = Meter(Goals.of(graph))
        with self.compiled.timed("simulate"):
            simulation = full_simulation(
                graph, self.given.inputs, see=meter.see,
                progress=lambda n, of: self.progress("simulate", n / of),
            )  # fmt: skip
        return simulation, meter

    def _against_models(self, simulation: Simulation, float_model: Any) -> ModelCheck:
        """Compare with the trained model and its float reference; a warning says why not."""
        from hwflow.verify.models import NOT_RUN, ModelChecker

        compiled = self.compiled
        if compiled.origin.runnable is None:
            return NOT_RUN
        return ModelChecker(
            graph=compiled.graph,
            given=self.given,
            simulation=simulation,
            load=compiled.origin.runnable,
            timed=compiled.timed,
            progress=self.progress,
            settings=compiled.config.layers,
        ).check(float_model)

    def _against_cpp(self, simulation: Simulation, reproducer: Path | None) -> Agreement:
        """Compile the C++ and compare every layer with it."""
        compiled = self.compiled
        self.progress("compile C++", 0.0)
        built = compiled.csim
        self.progress("compile C++", 1.0)
        with compiled.timed("run C++"):
            return check_faithful(compiled.graph, built, self.given.inputs, simulation, reproducer)
