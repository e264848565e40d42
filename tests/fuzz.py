"""Random networks: Python simulation against compiled C++ against ONNX Runtime, every bit.

``make fuzz N=300``, or ``python -m tests.fuzz --networks 1 --seed 17`` to look at one again;
``--scales float`` or ``mixed`` for scales that are not powers of two, judged in exact arithmetic;
``--scales recurrent`` for recurrent cells, ``--scales norms`` for normalisations, which are held to
their proven distance from real numbers.
Several networks share one C++ build. Ends with status 1 when a single value differs.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import onnx

from hwflow.core.config import make_config
from hwflow.core.errors import CompileError
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design
from hwflow.simulate.samples import mixed_data
from tests.cppsim import compare_with_cpp, merged
from tests.floats import float_network
from tests.networks import random_network
from tests.norm_networks import beyond_bounds, norm_network
from tests.recurrent_cells import random_cells

PER_BUILD = 8
SAMPLES = 64
TARGETS = [
    ("Vitis", "io_parallel", "latency"),
    ("Vitis", "io_stream", "latency"),
    ("Vivado", "io_parallel", "resource"),
    ("Vivado", "io_stream", "resource"),
    ("Vitis", "io_stream", "resource"),
    ("Vivado", "io_parallel", "latency"),
]


KINDS: dict[str, Callable[[int], onnx.ModelProto]] = {
    "pow2": random_network,
    "float": float_network,
    "mixed": partial(float_network, scales="mixed"),
    "recurrent": random_cells,
    "norms": norm_network,
}
"""What makes the networks: by the scales that they have, or cells in a loop, or normalisations."""


@dataclass
class Outcome:
    """What a run found."""

    networks: int = 0
    values: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def compiled(
    seed: int, target: tuple[str, str, str], outcome: Outcome, scales: str = "pow2"
) -> Design | None:
    """Return the design of a seed, or None where it is refused with a diagnostic."""
    backend, io_type, strategy = target
    config = make_config({"target": {"backend": backend, "io_type": io_type, "strategy": strategy}})
    try:
        return compile_model(KINDS[scales](seed), config=config)
    except CompileError as refusal:
        outcome.refused.update(f"{d.code} {d.title}" for d in refusal.diagnostics)
        return None


def check_lossless(seed: int, design: Design, outcome: Outcome) -> None:
    """Compare the simulation with ONNX Runtime at every quantiser and output.

    What is approximate by nature is held to its proven distance instead. The golden model is
    compared with the simulation, too.
    """
    found = design.verify(mixed_data(design.graph, SAMPLES, seed), cpp=False)
    assert found.lossless is not None
    approximate = any(node.op.approximate for node in design.graph.nodes)
    if approximate:
        far = beyond_bounds(design, seed, SAMPLES)
        outcome.failures += [f"seed {seed}: {text}" for text in far]
    elif found.lossless.float32_only:
        outcome.failures.append(f"seed {seed}: no exact judge: {found.lossless.float32_only}")
    if not approximate and not found.lossless.holds:
        outcome.failures.append(f"seed {seed}: not lossless: {found.lossless.first}")
    if found.golden is None or not found.golden.holds:
        outcome.failures.append(f"seed {seed}: golden model: {found.no_golden or found.golden}")


def run_batch(
    seeds: Sequence[int], target: tuple[str, str, str], outcome: Outcome, scales: str
) -> None:
    """Compile, simulate and compare the networks of some seeds in one C++ build."""
    designs = {}
    for seed in seeds:
        design = compiled(seed, target, outcome, scales)
        if design is not None:
            designs[f"net{seed}"] = design
            check_lossless(seed, design, outcome)
    if not designs:
        return
    graph = merged({key: d.graph for key, d in designs.items()})
    design = next(iter(designs.values()))
    agreement = compare_with_cpp(graph, design.target, mixed_data(graph, SAMPLES, seeds[0]).inputs)
    outcome.networks += len(designs)
    outcome.values += sum(layer.elements for layer in agreement.layers)
    outcome.operators.update(n.op.kind for n in graph.nodes)
    for layer in agreement.layers:
        if layer.mismatches:
            outcome.failures.append(
                f"{target}: {layer.name}: {layer.mismatches} of {layer.elements} values differ"
            )


def fuzz(networks: int, seed: int, *, scales: str = "pow2", quiet: bool = False) -> Outcome:
    """Run ``networks`` random networks from ``seed`` on."""
    outcome = Outcome()
    started = time.monotonic()
    for number, start in enumerate(range(seed, seed + networks, PER_BUILD)):
        seeds = range(start, min(start + PER_BUILD, seed + networks))
        target = TARGETS[number % len(TARGETS)]
        run_batch(seeds, target, outcome, scales)
        if not quiet:
            spent = time.monotonic() - started
            print(
                f"{spent:6.0f} s  seeds {seeds[0]}-{seeds[-1]} {' '.join(target)}: "
                f"{outcome.networks} networks, {outcome.values:,} values, "
                f"{len(outcome.failures)} failures",
                flush=True,
            )
    return outcome


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(np.random.SeedSequence().entropy) % 10**6)
    parser.add_argument("--scales", choices=sorted(KINDS), default="pow2")
    options = parser.parse_args()
    outcome = fuzz(options.networks, options.seed, scales=options.scales)
    print(f"seeds {options.seed} to {options.seed + options.networks - 1}")
    print(f"operators: {dict(outcome.operators.most_common())}")
    print(f"refused: {dict(outcome.refused)}")
    print("\n".join(outcome.failures) or "no mismatch")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
