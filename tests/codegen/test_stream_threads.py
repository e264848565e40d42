"""The generated C++ itself with bounded FIFOs, a thread for each process: it ends, or locks."""

from collections.abc import Mapping
from pathlib import Path

import pytest

import hwflow
from hwflow.codegen.hls.streams import streams_of
from hwflow.dataflow.proof import LEAST
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from tests.codegen.stream_record import record
from tests.codegen.stream_threads import Region
from tests.dataflow.random_networks import random_net

EXAMPLES = Path(__file__).parents[2] / "examples"


def locks_in_order(events: Mapping[str, list[str]], depths: Mapping[str, int]) -> bool:
    """Return whether recorded reads and writes, each in its order, lock with FIFOs of depths."""
    held, at = dict.fromkeys(depths, 0), dict.fromkeys(events, 0)
    moved = True
    while moved:
        moved = False
        for process, own in events.items():
            while at[process] < len(own):
                what, name = own[at[process]].split()
                if name in held and not (held[name] if what == "r" else held[name] < depths[name]):
                    break
                if name in held:
                    held[name] += -1 if what == "r" else 1
                at[process] += 1
                moved = True
    return any(at[process] < len(own) for process, own in events.items())


@pytest.mark.slow
@pytest.mark.parametrize("source", ["digits_residual.onnx", 3])
def test_the_cpp_ends_with_the_depths_and_locks_as_its_order_says(
    source: str | int, tmp_path: Path
) -> None:
    target = Target(io_type="io_stream")
    graph = _graph(source)
    streams = streams_of(graph, target)
    recorded = record(graph, target, _new(tmp_path / "record"))
    region = Region(graph, target, _new(tmp_path / "region"))
    depths = {}
    for name, channel in streams.network.channels.items():
        place = streams.network.processes[channel.target].inputs.index(name)
        depths[recorded.streams[channel.target][place]] = streams.depths[name]
    assert not region.locks(depths)
    deeper = [name for name, depth in depths.items() if depth > LEAST]
    assert deeper
    locked = 0
    for name in deeper:
        for depth in {*range(1, min(depths[name], 9)), depths[name] // 2, depths[name]}:
            tried = {**depths, name: depth}
            expected = locks_in_order(recorded.events, tried)
            assert region.locks(tried) == expected, (name, depth)
            locked += expected
    assert locked


def _graph(source: str | int) -> Graph:
    if isinstance(source, int):
        return random_net(source)
    return hwflow.compile(EXAMPLES / source, io_type="io_stream").graph


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder
