"""The stated behaviour of streams is that of the C++: every read and write, in order."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hwflow.codegen.hls.streams import streams_of
from hwflow.dataflow.network import Network, Process
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.testing.operators.cases import Case, graph_of
from tests.codegen.stream_record import Recording, record
from tests.ops.cases import chunks, example_cases, shared_cases

TARGETS = [Target(backend=backend, io_type="io_stream") for backend in ("Vitis", "Vivado")]


def stated(process: Process, inputs: Sequence[str], outputs: Sequence[str]) -> Iterator[str]:
    """Yield the reads and writes of a process as its pattern says them."""
    pattern = process.pattern
    done, written = [0] * len(inputs), 0
    for step in range(pattern.steps):
        for place, name in enumerate(inputs):
            more = int(pattern.reads[place][step]) - done[place]
            done[place] += more
            yield from [f"r {name}"] * more
        more = int(pattern.writes[step]) - written
        written += more
        for _ in range(more):
            yield from (f"w {name}" for name in outputs)


def assert_as_stated(network: Network, found: Recording) -> None:
    """Compare every process of a recording with what is stated about it."""
    assert found.events.keys() == network.processes.keys()
    for name, process in network.processes.items():
        count = len(process.pattern.reads)
        inputs, outputs = found.streams[name][:count], found.streams[name][count:]
        assert found.events[name] == list(stated(process, inputs, outputs)), name


def assert_joined_as_stated(network: Network, depths: dict[str, int], found: Recording) -> None:
    """Compare who writes and who reads each FIFO, and its depth, with the network."""
    ends = {}
    for channel in network.channels.values():
        target, source = network.processes[channel.target], network.processes[channel.source]
        place = target.inputs.index(channel.name)
        stream = found.streams[channel.target][place]
        outputs = found.streams[channel.source][len(source.inputs) :]
        assert stream in outputs, channel
        ends[stream] = depths[channel.name]
    assert ends == found.depths


def check(graph: Graph, target: Target, folder: Path) -> None:
    streams = streams_of(graph, target)
    found = record(graph, target, folder)
    assert_as_stated(streams.network, found)
    assert_joined_as_stated(streams.network, dict(streams.depths), found)


def all_cases(target: Target) -> list[Case]:
    cases = [*example_cases(), *shared_cases(target)]
    return [case for case in cases if case.legal(target)]


QUICK = {
    "conv2d_asymmetric_latency", "conv2d_pointwise_stride_latency", "conv1d_sparse_latency",
    "maxpool_overlap", "maxpool_ceil", "concat_two_rank1_axis0", "concat_three_rank3_axis1",
    "add_outer", "reshape_wider", "argmax_labels", "pad_zeros", "dense_signed_latency",
    "matmul_heads",
}  # fmt: skip
"""One of each way to go through a stream; what shares its hardware comes on top."""


def test_quick_cases_go_through_streams_as_stated(tmp_path: Path) -> None:
    cases = [case for case in all_cases(TARGETS[0]) if case.name in QUICK]
    assert {case.name for case in cases} == QUICK
    check(graph_of(distinct(cases)), TARGETS[0], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(9))
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.backend)
def test_every_operator_goes_through_streams_as_stated(
    target: Target, part: int, tmp_path: Path
) -> None:
    cases = all_cases(target)[part::9]
    if target.backend == "Vivado":  # other headers for these only (vitis/nnet_utils)
        cases = [c for c in cases if "Conv" in c.op.kind or c.op.kind == "Dense"]
    for number, some in enumerate(chunks(distinct(cases), 30)):
        folder = tmp_path / str(number)
        folder.mkdir()
        check(graph_of(some), target, folder)


def distinct(cases: Sequence[Case]) -> list[Case]:
    """Return cases under different names; one may come twice, with and without sharing."""
    return [replace(case, name=f"{case.name}_{number}") for number, case in enumerate(cases)]
