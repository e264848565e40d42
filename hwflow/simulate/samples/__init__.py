"""Made-up data, for where none is given: real numbers at the ports that test what is behind them.

Half is a mixture drawn from the ports alone (``mixture``), half is found by search on the graph
(``search``), whose functions and ranges say where layers decide (``goals``).
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hwflow.core.data import Data, read_data
from hwflow.ir.graph import Graph
from hwflow.simulate.samples import mixture
from hwflow.simulate.samples.climb import STEPS
from hwflow.simulate.samples.ports import PortRange, port_range, real_numbers
from hwflow.simulate.samples.search import AT_ONCE, Levels, Search

__all__ = ["Levels", "as_data", "made_data", "mixed_data", "numbers"]

MADE_UP = "made-up data, as none was given"
"""How the source of made-up data begins, wherever it is named."""

SAMPLES, MOST_SAMPLES, FEWEST_SAMPLES = 256, 512, 8
"""Samples made up for small networks: of the mixture alone, with what search finds; the largest."""

PRODUCTS = 2**30
"""Multiplications over all of them; the generated C++ takes some 10 seconds for them on 2 cores."""

EFFORT = 2**26
"""What a search may compute: products, and ``ELEMENT`` for each value; about half a second."""

MOST_CLIMBERS = 128
"""Samples that climb; fewer where ``STEPS`` computations of each would take twice ``EFFORT``."""

ELEMENT = 64
"""What a value of a layer costs beside its products, casts and goals counted in."""

FIRST = 8
"""Samples of the mixture that come first: zeros, both ends, beyond them, and some others."""


def as_data(given: Any, graph: Graph) -> Data:
    """Return data in one form, whatever it was given as; made up where it is None.

    A single array is taken for the model's only input. In a file or mapping an array is found by
    the input's name, or as ``x`` where there is one input; labels as ``y``.

    Raises:
        CompileError: the file cannot be read, or it is not clear which array is which.
    """
    if given is None:
        return made_data(graph)
    path = Path(given) if isinstance(given, str) else given
    return read_data(path, [port.name for port in graph.inputs])


def made_data(graph: Graph, samples: int | None = None, seed: int = 0) -> Data:
    """Return made-up data that tests: a mixture, and samples searched for on the graph.

    The same for the same graph, number and seed, on every machine.

    Args:
        graph: whose ports the data is for.
        samples: how many; None for what suits the network, 512 at most.
        seed: seed of the generator.
    """
    most, least = (samples, samples) if samples is not None else numbers(graph)
    ports = {port.value: port_range(graph, port) for port in graph.inputs}
    always = min(max(FIRST, most // 8), most)
    found = _searched(graph, ports, most - always, seed)
    drawn = max(least - len(next(iter(found.values()))), always)
    return _data(graph, ports, found, drawn, seed)


def mixed_data(graph: Graph, samples: int, seed: int = 0) -> Data:
    """Return made-up data from the ports alone: uniform, both ends, sparse, smooth, hot elements.

    Args:
        graph: whose ports the data is for.
        samples: how many.
        seed: seed of the generator.
    """
    ports = {port.value: port_range(graph, port) for port in graph.inputs}
    none = {name: np.empty((0, *port.lo.shape), np.int64) for name, port in ports.items()}
    return _data(graph, ports, none, samples, seed)


def _data(graph: Graph, ports: dict[str, PortRange], found: Levels, drawn: int, seed: int) -> Data:
    rng = np.random.default_rng((seed, 0))
    inputs = {}
    for name, port in ports.items():
        mixed = mixture.levels(rng, port, drawn)
        off = mixture.fractions(rng, port, drawn)
        levels = np.concatenate([mixed[:FIRST], found[name], mixed[FIRST:]])
        fractions = np.concatenate([off[:FIRST], np.zeros(found[name].shape), off[FIRST:]])
        real = real_numbers(graph, port.port, levels, fractions)
        inputs[port.port.name] = real.astype(np.float32)
    count = len(next(iter(found.values())))
    searched = f", {count} found by search next to roundings and limits" if count else ""
    source = f"{MADE_UP}: {drawn} samples drawn over the ports' ranges{searched}, seed {seed}"
    return Data(inputs, None, source, seed)


def numbers(graph: Graph) -> tuple[int, int]:
    """Return how many samples there may be, and how many there are at least."""
    fitting = PRODUCTS // max(_products(graph), 1)
    return (
        min(max(fitting, FEWEST_SAMPLES), MOST_SAMPLES),
        min(max(fitting, FEWEST_SAMPLES), SAMPLES),
    )


def _searched(graph: Graph, ports: dict[str, PortRange], most: int, seed: int) -> Levels:
    """Return samples found by search; none where the network is too large for it."""
    elements = sum(tensor.size for tensor in graph.types.values())
    tries = EFFORT // (_products(graph) + ELEMENT * elements)
    if tries < 2 * AT_ONCE or most <= 0:
        return {name: np.empty((0, *port.lo.shape), np.int64) for name, port in ports.items()}
    rng = np.random.default_rng((seed, 2))
    search = Search(graph, ports, seed)
    count = min(2 * AT_ONCE, tries // 2)
    drawn = {name: port.snapped(mixture.levels(rng, port, count)) for name, port in ports.items()}
    search.run(drawn, tries - count, min(2 * tries // STEPS, MOST_CLIMBERS))
    return search.best(most)


def _products(graph: Graph) -> int:
    """Return how many multiplications by weights a sample takes."""
    found = 0
    for node in graph.nodes:
        weight = getattr(node.op, "weight", None)
        if weight is not None:
            found += weight.raw.size * prod(graph.types[node.name].shape[:-1])
    return found
