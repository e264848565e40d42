"""A small residual network with fixed costs, so that golden reports depend on the report alone."""

from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.core.board import load_board
from hwflow.core.distance import OutputError
from hwflow.core.errors import Diagnostic
from hwflow.estimate.report import EstimateReport, LayerEstimate, Utilisation
from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Target
from hwflow.ops.add import Add
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.report.data import Subject, report_data
from hwflow.report.parts import Version
from hwflow.report.schema import ReportData
from hwflow.simulate.coverage.goals import Goals
from hwflow.simulate.coverage.meter import Meter
from hwflow.verify.agreement import (
    Agreement,
    Float32Match,
    LayerMatch,
)
from hwflow.verify.budget import Budget, LayerLoss, OutputLoss, WorstSample
from hwflow.verify.comparison import divergence, full_simulation
from hwflow.verify.verification import Verification

HOSTILE = '</title><script>alert("x")</script>|`[a](//evil)\n\u202e'
"""A layer name that a stranger might choose."""

_IN = FixedType(6, 2, True, Rounding.RND_CONV, Overflow.SAT)
_OUT = FixedType(5, 2, True, Rounding.RND, Overflow.SAT)
SAMPLES = 20


def graph(origin: str = "block.fc2") -> Graph:
    rng = np.random.default_rng(7)

    def dense(n_in: int, n_out: int, **settings: Any) -> Dense:
        weight = FixedArray(rng.integers(-8, 8, (n_in, n_out)), FixedType(4, 1))
        bias = FixedArray(rng.integers(-32, 32, n_out), FixedType(6, 1))
        return Dense(weight=weight, bias=bias, **settings)

    nodes = [
        Node("x", Input(shape=(6,), dtype=_IN), origin="image"),
        Node("fc1", dense(6, 4, result_t=_OUT), ("x",), "block.fc1", Port("fc1", "q1", (1,))),
        Node("fc2", dense(4, 4, result_t=_OUT, strategy="resource", reuse_factor=4), ("fc1",),
             origin, Port("fc2", "q2", (1,))),
        Node("add", Add(), ("fc1", "fc2"), "block.add"),
        Node("head", dense(4, 3), ("add",), "head", Port("head", "logits", (1,))),
    ]  # fmt: skip
    return Graph.build("tiny", nodes, [Port("x", "image", (1,))], [Port("head", "logits", (1,))])


def simulation_input() -> dict[str, np.ndarray]:
    return {"image": np.random.default_rng(3).normal(size=(SAMPLES, 6))}


def estimate_of(net: Graph, fits: str = "yes") -> EstimateReport:
    def cost(size: float) -> Cost:
        figure = Estimate.spread(size, (0.5, 2.0))
        return Cost(
            lut=figure,
            ff=figure,
            dsp=Estimate(),
            bram_18k=Estimate(),
            lut_synth=figure.scaled(0.5),
            ff_synth=figure.scaled(0.75),
            latency_cycles=Estimate(3, 2, 5),
            notes=("a rule of thumb",),
        )

    rows = tuple(
        LayerEstimate(n.name, n.origin, n.op.kind, cost(100.0 * i)) for i, n in enumerate(net.nodes)
    )
    total = replace(cost(1000.0), latency_cycles=Estimate(9, 6, 15), ii=Estimate(4, 4, 4))
    share = {"yes": 20.0, "borderline": 90.0, "no": 300.0}[fits]
    used = Estimate.spread(share * 532.0, (0.5, 1.5))
    return EstimateReport(
        layers=rows,
        total=total,
        clock_period_ns=5.0,
        latency_ns=total.latency_cycles.scaled(5.0),
        board="PYNQ-Z2",
        utilisation=(
            Utilisation(
                resource="lut",
                used=used,
                available=53200,
                percent=used.scaled(100 / 53200),
                fits=fits,
            ),
            Utilisation(
                resource="dsp",
                used=Estimate(),
                available=220,
                percent=Estimate(),
                fits="yes",
            ),
        ),
        fits=fits,
        warnings=(),
    )


def lossless_agreement(net: Graph, differing: dict[str, int]) -> Agreement:
    """Return a comparison with the model, whose float32 execution rounds two values of fc1."""
    plain = agreement(net, differing)
    layers = tuple(
        replace(layer, float32_differs=2 if layer.name == "fc1" else 0) for layer in plain.layers
    )
    return replace(plain, layers=layers, float32=Float32Match(160, 2, "block.fc1", 60, 7))


def agreement(net: Graph, differing: dict[str, int], found: float = 0.5) -> Agreement:
    layers = tuple(
        LayerMatch(n.name, n.origin, SAMPLES * net.types[n.name].size, differing.get(n.name, 0))
        for n in net.nodes[1:]
    )
    if not differing:
        return Agreement(holds=True, samples=SAMPLES, layers=layers)
    node = net.by_name[next(iter(differing))]
    step = net.types[node.name].dtype.step
    first = divergence(node, (3, 1), 0.25, found, step=step, cause="rounding differs")
    return Agreement(holds=False, samples=SAMPLES, layers=layers, first=first)


def error() -> OutputError:
    return OutputError(
        output="logits",
        max_abs=0.5,
        mean_abs=0.0625,
        sqnr_db=31.25,
        argmax_agreement=0.95,
        accuracy=0.9,
        reference_accuracy=0.95,
        histogram=(40, 15, 5),
        edges=(0.0, 0.25, 0.375, 0.5),
    )


def budget() -> Budget:
    """Return what quantisation cost the same network."""
    loss = OutputLoss(
        error=error(),
        kl_divergence=0.0125,
        softmaxed=True,
        hardware_agreement=0.9,
        worst=(WorstSample(7, 0.5), WorstSample(3, 0.25)),
        changed=1,
        changed_samples=(7,),
    )
    layers = (
        LayerLoss(
            layer="fc1",
            origin="block.fc1",
            elements=80,
            sqnr_db=28.5,
            max_abs=0.25,
            mean_abs=0.03125,
        ),
        LayerLoss(
            layer="fc2",
            origin="block.fc2",
            elements=80,
            sqnr_db=float("inf"),
            max_abs=0.0,
            mean_abs=0.0,
        ),
    )
    return Budget("the network of the same file without quantisers", SAMPLES, (loss,), layers)


def report(
    *,
    faithful: dict[str, int] | None = None,
    golden: dict[str, int] | None = None,
    lossless: dict[str, int] | None = None,
    fits: str = "yes",
    origin: str = "block.fc2",
    data: bool = True,
) -> ReportData:
    """Return a report; ``faithful`` and ``lossless`` give differing values by layer."""
    net = graph(origin)
    meter = Meter(Goals.of(net))
    verification = Verification(
        faithful=agreement(net, faithful or {}),
        lossless=lossless_agreement(net, lossless or {}),
        errors=(error(),),
        simulation=full_simulation(net, simulation_input(), see=meter.see),
        data="images.npz, 20 samples",
        budget=budget(),
        golden=agreement(net, golden or {}),
        coverage=meter.coverage,
    )
    made = report_data(Subject(
        graph=net,
        target=Target(clock_period_ns=5.0),
        board=load_board("pynq-z2") if data else None,
        estimate=estimate_of(net, fits)
        if data
        else replace(estimate_of(net), board="", utilisation=(), fits=""),
        verification=verification if data else None,
        warnings=[
            Diagnostic(code="HW301", severity="warning", title="input type assumed", where=origin,
                       found="no quantiser", help="set [input.image] type")
        ],
        digests={"model": "ab" * 32, "project": "cd" * 32},
        seconds={"compile": 0.25, "csim": 6.5},
        source="tiny.onnx",
    ))  # fmt: skip
    return replace(made, versions=(Version("hwflow", "1.2.3"), Version("numpy", "2.0")))
