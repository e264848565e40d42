"""What was found out as plain data, for JSON on standard output."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hwflow.simulate.coverage.words import counters_dict, coverage_dict, ports_dict
from hwflow.verify.agreement import Agreement, Divergence
from hwflow.verify.port_loss import PortLoss
from hwflow.verify.verdict.state import Verdict
from hwflow.verify.verification import Verification


def verification_dict(found: Verification) -> dict[str, Any]:
    """Return everything that was found out with data."""
    budget, coverage = found.budget, found.coverage
    return {
        "data": found.data,
        "made_up": found.made_up,
        "seed": found.seed,
        "samples": found.simulation.samples,
        "coverage": None if coverage is None else coverage_dict(coverage),
        "layers": counters_dict(found.simulation.counters),
        "ports": ports_dict(found.simulation.ports),
        "findings": [finding.as_dict() for finding in found.findings],
        "faithful": agreement_dict(found.faithful),
        "golden": agreement_dict(found.golden),
        "no_golden": found.no_golden,
        "lossless": agreement_dict(found.lossless),
        "errors": [asdict(error) for error in found.errors],
        "quantisation": None if budget is None else asdict(budget),
        "no_quantisation": found.no_budget,
    }


def agreement_dict(found: Agreement | None) -> dict[str, Any] | None:
    """Return a comparison, or None where there was none."""
    if found is None:
        return None
    return {
        "holds": found.holds,
        "samples": found.samples,
        "elements": found.elements,
        "mismatches": found.mismatches,
        "layers": [asdict(layer) for layer in found.layers],
        "first": None if found.first is None else _divergence(found.first),
        "float32": None if found.float32 is None else asdict(found.float32),
        "float32_only": found.float32_only,
        "verdict": None if found.verdict is None else _verdict(found.verdict),
        "ports": [_port(port) for port in found.ports],
    }


def _divergence(first: Divergence) -> dict[str, Any]:
    return {name: value for name, value in asdict(first).items() if name != "steps"}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {**asdict(verdict), "text": str(verdict)}


def _port(port: PortLoss) -> dict[str, Any]:
    return {**asdict(port), "dtype": str(port.dtype)}
