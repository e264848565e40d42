"""Random networks and hardware graphs: the golden model against the simulation, every bit.

``make fuzz-golden N=10000``, or ``python -m tests.fuzz_golden --networks 1 --seed 17`` to look at
one again. Every other one is a graph of random operators; between them are networks whose scales
are powers of two, float32 numbers or both, in turn. Half of them have 8-bit kernels wherever these
are exact, the others where they pay. Each is run as it is written, with ONNX Runtime's default
optimisations, and again with every layer as an output. Ends with status 1 when a value differs.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import onnx

from hwflow import frontends
from hwflow.codegen.golden import kernels
from hwflow.core.config import make_config
from hwflow.core.errors import CompileError
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.passes import PIPELINE, Context, run_pipeline
from hwflow.simulate.numpy import simulate
from hwflow.simulate.onnxruntime import GoldenEngine
from tests.fuzz import KINDS
from tests.ops.random_graphs import port_data, random_graph

SAMPLES = 48
EVERY = 200
"""Networks between two lines of progress."""

Arrays = Mapping[str, npt.NDArray[np.generic]]


@dataclass
class Outcome:
    """What a run found."""

    networks: Counter[str] = field(default_factory=Counter)
    values: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


TURNS = tuple(turn for kind in KINDS for turn in (kind, "graph"))
"""Kinds of networks, in the order in which they take turns."""


def hardware(model: onnx.ModelProto, io_type: str = "io_parallel") -> Graph:
    """Return the hardware graph of a model, without what takes time and changes no bit.

    That are board, plugins, and how the hardware computes its requantisers.
    """
    settings = make_config({"target": {"io_type": io_type}})
    context = Context(config=settings, target=Target(io_type=settings.target.io_type))
    passes = [step for step in PIPELINE if step.name != "choose_requantizers"]
    return run_pipeline(frontends.load(model), context, passes)


def network(kind: str, seed: int) -> Graph:
    """Return the hardware graph of a seed.

    Raises:
        CompileError: the network is refused.
    """
    if kind == "graph":
        return random_graph(seed)
    return hardware(KINDS[kind](seed), ("io_parallel", "io_stream")[seed % 3 == 0])


@contextmanager
def eager_kernels(*, wanted: bool) -> Iterator[None]:
    """Let golden models have 8-bit kernels wherever they are exact, however small the layer."""
    least = dict.fromkeys((n for n in vars(kernels) if n.startswith("LEAST_")), 0) if wanted else {}
    with patch.dict(vars(kernels), least):
        yield


def differences(graph: Graph, data: Arrays, outcome: Outcome) -> list[str]:
    """Return what of a graph's golden model differs from the simulation.

    Raises:
        CompileError: HW565, a layer has no golden function.
    """
    names = [node.name for node in graph.nodes]
    expected = simulate(graph, data, keep=lambda name: True)
    wrong = []
    for layers in ((), names):
        found = GoldenEngine(graph, layers=layers, threads=1).run(data)
        for name in layers:
            raw, mantissas = expected.layers[name].raw, found[f"layer/{name}"]
            outcome.values += raw.size
            whole = mantissas.astype(np.int64)
            if not (np.array_equal(whole, raw) and np.array_equal(whole, mantissas)):
                wrong.append(f"{name}: {graph.by_name[name].op.kind}")
        for name, values in expected.outputs.items():
            outcome.values += values.size
            if not np.array_equal(found[name], values):
                wrong.append(f"output {name}{' with all layers' if layers else ''}")
    return wrong


def run_one(kind: str, seed: int, outcome: Outcome) -> None:
    """Compare the golden model of one seed."""
    try:
        graph = network(kind, seed)
        with eager_kernels(wanted=seed // len(TURNS) % 2 == 0):
            wrong = differences(graph, port_data(graph, SAMPLES, seed), outcome)
            planned = kernels.plan_kernels(graph).kernels
    except CompileError as refusal:
        outcome.refused.update(f"{kind}: {d.code} {d.title}" for d in refusal.diagnostics)
        return
    except Exception as problem:  # whatever stops one network is a finding; the others go on
        outcome.failures.append(f"{kind} {seed}: {type(problem).__name__}: {problem}")
        return
    outcome.networks[kind] += 1
    outcome.operators.update(node.op.kind for node in graph.nodes)
    outcome.operators.update(f"{graph.by_name[name].op.kind} in 8 bits" for name in planned)
    outcome.failures += [f"{kind} {seed}: {text}" for text in wrong]


def fuzz(networks: int, seed: int, only: str | None = None, *, quiet: bool = False) -> Outcome:
    """Compare this many networks, from ``seed`` on; refused ones are not counted."""
    outcome = Outcome()
    chosen = TURNS if only is None else (only,)
    started = time.monotonic()
    tried = 0
    while outcome.networks.total() + len(outcome.failures) < networks:
        known = len(outcome.failures)
        run_one(chosen[tried % len(chosen)], seed + tried, outcome)
        tried += 1
        if not quiet and outcome.failures[known:]:
            print("\n".join(outcome.failures[known:]), flush=True)
        if not quiet and tried % EVERY == 0:
            print(
                f"{time.monotonic() - started:6.0f} s  {tried} seeds: {dict(outcome.networks)}, "
                f"{outcome.values:,} values, {len(outcome.failures)} failures",
                flush=True,
            )
    return outcome


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=500)
    parser.add_argument("--seed", type=int, default=int(np.random.SeedSequence().entropy) % 10**6)
    parser.add_argument("--kind", choices=sorted(set(TURNS)))
    options = parser.parse_args()
    started = time.monotonic()
    outcome = fuzz(options.networks, options.seed, options.kind)
    print(f"from seed {options.seed} on, {time.monotonic() - started:.0f} s")
    print(f"networks: {dict(outcome.networks)}, {outcome.values:,} values compared")
    print(f"operators: {dict(outcome.operators.most_common())}")
    print(f"refused: {dict(outcome.refused)}")
    print("\n".join(outcome.failures) or "no mismatch")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
