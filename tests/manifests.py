"""Manifests of a small residual network with fixed costs, whole and with one thing changed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.core.board import Board
from hwflow.core.config import Config, make_config
from hwflow.core.data import Data
from hwflow.frontends import load
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.report.data import Subject, report_data
from hwflow.report.manifest.digests import data_digest
from hwflow.report.manifest.provenance import Provenance
from hwflow.report.manifest.schema import Manifest
from hwflow.report.manifest.writer import Build, manifest
from hwflow.report.parts import Version
from hwflow.verify.comparison import full_simulation
from hwflow.verify.verification import Verification
from tests.cli.command import dense
from tests.report.samples import agreement, error, estimate_of, graph, simulation_input

FIGURE = {"count": 1000, "source": "made up"}


def board(**fields: Any) -> Board:
    """Return a board that no profile describes."""
    resources = dict.fromkeys(("lut", "ff", "dsp", "bram_18k", "uram"), FIGURE)
    content = {
        "name": "bench", "part": "xc7z020", "vendor": "amd", "family": "made up",
        "resources": resources, "clock_period_ns": 5.0, "memory": "none", **fields,
    }  # fmt: skip
    return Board.model_validate(content)


def verified(net: Graph, inputs: Mapping[str, Any], lossless: dict[str, int]) -> Verification:
    """Return a verification on data, with values of some layers unlike the model's."""
    labels = np.arange(len(inputs["image"])) % 3
    return Verification(
        faithful=agreement(net, {}),
        lossless=agreement(net, lossless),
        errors=(error(),),
        simulation=full_simulation(net, inputs),
        data="images.npz",
        data_sha256=data_digest(Data(inputs, labels, "")),
    )


def sample(
    net: Graph | None = None,
    *,
    on: Board | None = None,
    config: Config | None = None,
    inputs: Mapping[str, Any] | None = None,
    lossless: dict[str, int] | None = None,
    versions: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
    data: bool = True,
) -> Manifest:
    """Return the manifest of a build, with what is given in place of the usual."""
    net, device = net or graph(), on or board()
    target = Target(part=device.part, clock_period_ns=device.clock_period_ns)
    found = verified(net, inputs or simulation_input(), lossless or {}) if data else None
    report = report_data(Subject(
        graph=net, target=target, board=device, estimate=estimate_of(net), verification=found,
        warnings=(), digests={}, seconds={"compile": 0.25}, source="tiny.onnx",
    ))  # fmt: skip
    shown = {"hwflow": "1.2.3", "numpy": "2.0", **(versions or {})}
    report = replace(report, versions=tuple(Version(*item) for item in shown.items()))
    build = Build(
        graph=net,
        target=target,
        board=device,
        config=config or make_config({}),
        model=load(dense()),
        provenance=Provenance("ab" * 32),
        report=report,
        verification=found,
        files=files or {"graph.txt": b"graph", "report.json": b"0.25 s"},
        measured=frozenset({"report.json"}),
    )
    made = manifest(build)
    return made.model_copy(update={"versions": shown})  # of this machine's Python and compiler none
