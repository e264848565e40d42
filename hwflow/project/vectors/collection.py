"""Collects the test vectors of a design: of given data, or of the samples that reach the most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from hwflow.codegen.bench import build_files, hls_ports
from hwflow.codegen.project import Project
from hwflow.core.data import Data
from hwflow.fixed import FixedArray
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.project.vectors.record import PortVectors, Vectors, placed
from hwflow.simulate.numpy import simulate
from hwflow.simulate.samples.choice import chosen, entered
from hwflow.verify.verification import Verification

SAMPLES = 100
"""Samples of a build: C/RTL co-simulation takes seconds to minutes for so many."""


def collect(
    graph: Graph,
    target: Target,
    project: Project,
    layers: Mapping[str, FixedArray],
    *,
    source: str,
    samples: int = SAMPLES,
    made_up: int = 0,
) -> Vectors:
    """Return the vectors of a simulation.

    Args:
        graph: what was simulated.
        target: what the project was generated for.
        project: the generated project, which says how ports are packed.
        layers: values of the graph's inputs and outputs at least, by node name.
        source: where the data comes from.
        samples: how many to keep at most.
        made_up: how many of these are made up, the last ones.
    """
    inputs, outputs = hls_ports(graph, target, project.files)
    pairs = [
        *(("input", *pair) for pair in zip(graph.inputs, inputs, strict=True)),
        *(("output", *pair) for pair in zip(graph.outputs, outputs, strict=True)),
    ]
    ports = tuple(
        PortVectors(direction, port, hls, FixedArray(layers[port.value].raw[:samples], hls.dtype))
        for direction, port, hls in pairs
    )
    return Vectors(graph.name, target.io_type, source, made_up, ports)


def simulated_vectors(
    graph: Graph, target: Target, project: Project, data: Data, samples: int = SAMPLES
) -> Vectors:
    """Return the vectors of the first samples of data; see ``collect``.

    Raises:
        CompileError: the data does not suit the inputs.
    """
    ports = {p.value for p in (*graph.inputs, *graph.outputs)}
    found = simulate(graph, _first(data.inputs, samples), keep=ports.__contains__)
    kept = min(samples, found.samples)
    made = 0 if data.seed is None else kept
    return collect(
        graph, target, project, found.layers, source=data.source, samples=samples, made_up=made
    )


def covering_vectors(
    graph: Graph, target: Target, project: Project, data: Data | None, samples: int = SAMPLES
) -> Vectors:
    """Return the fewest vectors found, of data and of made-up samples, that reach the most.

    Args:
        graph: the hardware graph.
        target: what the project was generated for.
        project: the generated project.
        data: what was given; None for made-up samples alone.
        samples: how many at most.

    Raises:
        CompileError: the data does not suit the inputs.
    """
    given = None if data is None else entered(graph, data.inputs)
    found = chosen(graph, given, None, samples)
    told = found.described("" if data is None else data.source)
    return collect(
        graph, target, project, found.layers, source=told, samples=samples, made_up=found.made
    )


def _first(inputs: Mapping[str, npt.NDArray[Any]], samples: int) -> Mapping[str, npt.NDArray[Any]]:
    """Return the first samples, or all where inputs differ in their number, which is refused."""
    if any(a.ndim == 0 for a in inputs.values()) or len({len(a) for a in inputs.values()}) != 1:
        return inputs
    return {name: array[:samples] for name, array in inputs.items()}


def simulation_files(
    graph: Graph, target: Target, project: Project, verification: Verification | None
) -> dict[str, bytes]:
    """Return what a written design holds beside the HLS project to be simulated alone, by path.

    Args:
        graph: the design.
        target: what the project was generated for.
        project: the generated project.
        verification: what was verified. The vectors are those of its samples, and of made-up ones,
            that reach the most. Without it there is only what builds the bench, which then
            refuses to run.
    """
    files = {f"sim/{name}": content for name, content in build_files(graph).items()}
    if verification is None:
        return files
    layers, made_up = verification.simulation.layers, verification.made_up
    run = {p.value: layers[p.value].raw for p in graph.inputs}
    found = chosen(graph, None if made_up else run, run if made_up else None, SAMPLES)
    told = found.described("" if made_up else verification.data)
    ports = collect(
        graph, target, project, found.layers, source=told, samples=SAMPLES, made_up=found.made
    )
    return files | placed(ports)
