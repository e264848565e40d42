"""The record of an estimate: a row for each layer, the total, and the shares of a board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hwflow.core.errors import Diagnostic
from hwflow.estimate.power import Power
from hwflow.estimate.stages import COLUMNS
from hwflow.ir.cost import Basis, Cost, Estimate
from hwflow.ir.notebook import Cell, html_table

FITS = {"yes": "good", "borderline": "unsure", "no": "bad"}
"""How answers look."""


@dataclass(frozen=True)
class LayerEstimate:
    """One row of the table: a layer of the graph and its cost."""

    name: str
    origin: str
    kind: str
    cost: Cost


@dataclass(frozen=True, kw_only=True)
class Utilisation:
    """Share of one resource of a board.

    Attributes:
        resource: name of the resource.
        used: post-synthesis-equivalent figure.
        available: what the device has.
        percent: ``used`` in per cent of it, with the interval.
        fits: ``"yes"`` where the upper end does, ``"borderline"`` where the best value does and the
            upper end does not, else ``"no"``.
        basis: what ``used`` rests on; extrapolated for devices that no relation was fitted on.
    """

    resource: str
    used: Estimate
    available: int
    percent: Estimate
    fits: str
    basis: Basis = Basis.FITTED

    @property
    def answer(self) -> str:
        """Whether it fits, and that this is extrapolated where it is."""
        return f"{self.fits}, {self.basis}" if self.basis is Basis.EXTRAPOLATED else self.fits

    def to_dict(self) -> dict[str, Any]:
        """Return the share as plain data, for JSON."""
        return {
            "resource": self.resource,
            "used": interval_dict(self.used),
            "available": self.available,
            "percent": interval_dict(self.percent),
            "fits": self.fits,
            "basis": self.basis.value,
        }


@dataclass(frozen=True, kw_only=True)
class EstimateReport:
    """Estimated cost of a graph on a target.

    Attributes:
        layers: one row per layer, in graph order.
        total: sums of areas; latency and II of the whole design.
        clock_period_ns: requested clock period.
        latency_ns: total latency in time.
        board: name of the board, or empty.
        utilisation: one entry per resource of the board.
        fits: the worst of the utilisations; empty without a board.
        calibration: what the figures were multiplied with and why; empty where with nothing.
        power: power and energy; None where nobody knows what the board takes, and without a board.
        warnings: what an engineer wants to know before hours of synthesis; ``Design.estimate`` adds
            what does not fit, and what would (``hwflow.project.advice``).
    """

    layers: tuple[LayerEstimate, ...]
    total: Cost
    clock_period_ns: float
    latency_ns: Estimate
    board: str
    utilisation: tuple[Utilisation, ...]
    fits: str
    warnings: tuple[Diagnostic, ...]
    calibration: str = ""
    power: Power | None = None

    def __repr__(self) -> str:
        """Return the totals in a few lines."""
        total = self.total
        area = f"LUT {total.lut}, FF {total.ff}, DSP {total.dsp}, BRAM18 {total.bram_18k_synth}"
        left = f"LUT {total.lut_synth}, FF {total.ff_synth}"
        time = f"latency {self.latency_ns} ns, II {total.ii} cycles"
        fits = f"fits {self.board}: {self.fits}" if self.board else "no board"
        lines = (f"csynth: {area}", f"post-synthesis: {left}", time)
        head = f"EstimateReport: {len(self.layers)} layers, {fits}"
        return "\n  ".join((head, *lines))

    def _repr_html_(self) -> str:
        """Return the layers and the total with their shares, for notebooks."""
        rows: list[tuple[object, ...]] = []
        for row in self.layers:
            cells = (self._share(row.cost, column) for column in COLUMNS)
            rows.append((row.name, row.kind, *cells))
        rows.append(("total", "", *(f"{getattr(self.total, column)}" for column in COLUMNS)))
        for use in self.utilisation:
            figure = f"{use.percent.value:.1f} % ({use.percent.low:.1f}-{use.percent.high:.1f})"
            share, fits = (
                Cell(figure, share=use.percent.value / 100),
                Cell(use.answer, FITS[use.fits]),
            )
            rows.append((f"{use.resource} of {use.available:,}", fits, share))
        caption = f"estimated; latency {self.latency_ns} ns at {self.clock_period_ns:g} ns" + (
            f"; fits {self.board}: {self.fits}" if self.board else ""
        )
        return html_table(caption, ("layer", "operator", *COLUMNS.values()), rows)

    def _share(self, cost: Cost, column: str) -> Cell:
        """Return a figure of a layer over its share of the total."""
        value, total = getattr(cost, column).value, getattr(self.total, column).value
        return Cell(f"{value:,.0f}", share=value / total if total else 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain lists, dicts, strings and numbers, for JSON."""
        return {
            "kind": "estimated",
            "clock_period_ns": self.clock_period_ns,
            "latency_ns": interval_dict(self.latency_ns),
            "layers": [
                {
                    "name": r.name,
                    "origin": r.origin,
                    "kind": r.kind,
                    **cost_dict(r.cost),
                }
                for r in self.layers
            ],
            "total": cost_dict(self.total),
            "calibration": self.calibration,
            "power": None if self.power is None else self.power.to_dict(),
            "board": self.board,
            "fits": self.fits,
            "utilisation": [u.to_dict() for u in self.utilisation],
            "warnings": [w.as_dict() for w in self.warnings],
        }


def interval_dict(figure: Estimate) -> dict[str, float | str]:
    """Return value and ends of the interval, rounded to three decimals, and the basis."""
    ends = {end: round(float(getattr(figure, end)), 3) for end in ("value", "low", "high")}
    return {**ends, "basis": figure.basis.value}


def cost_dict(cost: Cost) -> dict[str, Any]:
    """Return a cost with column names that say what each figure stands for."""
    columns = {
        "lut_csynth_equivalent": cost.lut,
        "ff_csynth_equivalent": cost.ff,
        "dsp": cost.dsp,
        "bram_18k": cost.bram_18k,
        "latency_cycles": cost.latency_cycles,
        "ii": cost.ii,
        "lut_post_synthesis_equivalent": cost.lut_synth,
        "ff_post_synthesis_equivalent": cost.ff_synth,
        "dsp_post_synthesis_equivalent": cost.dsp_synth,
        "bram_18k_post_synthesis_equivalent": cost.bram_18k_synth,
    }
    return {k: interval_dict(v) for k, v in columns.items()} | {"notes": list(cost.notes)}
