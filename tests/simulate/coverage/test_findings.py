"""Findings about data: raised, placed and worded right, and gone once their help is applied."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

import hwflow
from hwflow.core.errors import Diagnostic
from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.pieces import Kind
from hwflow.ops.input import Input
from hwflow.simulate.coverage.findings import data_findings
from hwflow.simulate.coverage.goals import Goals
from hwflow.simulate.coverage.meter import Meter
from hwflow.simulate.numpy import simulate
from hwflow.simulate.samples import as_data
from tests.fixtures import table_network


def findings(graph: Graph, data: npt.NDArray[np.float32] | None) -> tuple[Diagnostic, ...]:
    given = as_data(data, graph)
    meter = Meter(Goals.of(graph))
    found = simulate(graph, given.inputs, see=meter.see)
    made_up = given.seed is not None
    return data_findings(graph, meter.coverage, found.ports, data=given.source, made_up=made_up)


def test_data_that_tries_little_is_named_until_there_is_more_or_none() -> None:
    design = hwflow.compile(table_network(8))
    data = np.random.default_rng(0).uniform(-3.8, 3.8, (400, 4)).astype(np.float32)
    (finding,) = findings(design.graph, data[:1])
    (table,) = [n.name for n in design.graph.nodes if n.op.kind == "Sigmoid"]
    assert (finding.code, finding.severity) == ("HW409", "warning")
    assert table in finding.where
    entries = Goals.of(design.graph).layers[table].kinds.count(Kind.ENTRIES)
    (before,) = design.graph.by_name[table].inputs
    layers = design.simulate(data[:1], keep_layers=True).layers
    met = len(np.unique(layers[before].raw))
    assert f"{table}: {met} of {entries} table entries" in finding.found
    assert "data: the array" in finding.found
    assert finding.help.startswith("give more data, or leave out --data")
    assert not findings(design.graph, data)  # the help, applied
    assert not findings(design.graph, None)  # the other one


def test_made_up_data_that_tries_little_asks_for_data() -> None:
    design = hwflow.compile(table_network(8))
    meter = Meter(Goals.of(design.graph))
    (finding,) = data_findings(design.graph, meter.coverage, {}, data="a seed", made_up=True)
    assert "--data" in finding.help
    assert "leave out" not in finding.help


def test_a_port_of_which_little_is_used() -> None:
    design = hwflow.compile("examples/digits_cnn.onnx")
    data = np.full((5, 1, 8, 8), 0.01, np.float32)
    (finding,) = findings(design.graph, data)
    assert "x: 12.5 % of the port's range" in finding.found


def test_data_that_saturates_at_a_quantiser_of_the_port() -> None:
    design = hwflow.compile("examples/digits_cnn.onnx")
    with np.load("examples/digits.npz") as file:
        data = file["x"][:40]
    assert not [f for f in findings(design.graph, data) if f.code == "HW410"]
    (finding,) = [f for f in findings(design.graph, data * 255 - 3) if f.code == "HW410"]
    below = int((data * 255 - 3 < -1 / 16).sum())
    above = int((data * 255 - 3 >= 1.9375).sum())
    assert finding.where == "input 'x'"
    assert f"{below:,} below and {above:,} above" in finding.found
    assert "the data is from -3 to 252" in finding.found
    assert finding.supported == "0 to 1.875"


def test_help_for_a_port_whose_type_was_assumed_holds_the_data() -> None:
    def port(**fields: Any) -> Graph:
        nodes = [Node("x", Input(shape=(2,), **fields))]
        return Graph.build("port", nodes, [Port("x", "x", (1,))], [])

    assumed = FixedType(16, 6, True, Rounding.RND_CONV, Overflow.SAT)
    data = np.array([[-3, 0.25], [100, 1], [-33, 2]], np.float32)
    (finding,) = [f for f in findings(port(dtype=assumed, assumed=True), data) if f.code == "HW410"]
    assert "33.3 % of the numbers, 1 below and 1 above" in finding.found
    asked = re.fullmatch(r'set \[input.x\] type = "(.*)" in hwflow.toml', finding.help)
    assert asked is not None
    wide = FixedType.parse(asked[1])
    assert wide.fractional == assumed.fractional
    assert not [f for f in findings(port(dtype=wide), data) if f.code == "HW410"]
