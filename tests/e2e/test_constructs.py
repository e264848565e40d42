"""Every construct is exact or refused; none is silently different."""

from pathlib import Path

import pytest

import hwflow
from hwflow.simulate.samples import mixed_data
from hwflow.verify.verdict import State
from tests.cppsim import compare_with_cpp, merged
from tests.e2e.construct import APPROXIMATE, Construct
from tests.e2e.constructs import BUILT, CONSTRUCTS, REFUSED, document, findings

DOCUMENT = Path(__file__).parents[2] / "docs" / "constructs.md"
SAMPLES = 300


def by_name(construct: Construct) -> str:
    return construct.name


@pytest.mark.parametrize("construct", BUILT, ids=by_name)
def test_what_is_built_has_the_models_numbers(construct: Construct) -> None:
    design = hwflow.compile(construct.model())
    found = design.verify(mixed_data(design.graph, SAMPLES), cpp=False)
    assert found.lossless is not None
    verdict = found.lossless.verdict
    assert verdict is not None
    if construct.outcome == APPROXIMATE:
        assert verdict.state is State.APPROXIMATE
        assert any(node.op.approximate for node in design.graph.nodes)
        assert found.errors[0].max_abs < 0.02
        return
    assert found.lossless.mismatches == 0, found.lossless.first
    assert verdict.state is State.LOSSLESS


@pytest.mark.parametrize("construct", REFUSED, ids=by_name)
def test_what_is_refused_says_why_and_where(construct: Construct) -> None:
    said = findings(construct)
    assert ", ".join(sorted({d.code for d in said})) == construct.outcome
    for finding in said:
        assert finding.where
        assert finding.title
        assert finding.help or finding.supported, finding


def test_names_are_unique() -> None:
    assert len({c.name for c in CONSTRUCTS}) == len(CONSTRUCTS)


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text("utf-8") == document(), "run python -m tests.e2e.constructs"


BUILDS = 8
"""Builds that the constructs are spread over: a build costs seconds whatever is in it."""
EVERY = [
    (backend, io_type, part)
    for backend in ("Vitis", "Vivado")
    for io_type in ("io_parallel", "io_stream")
    for part in range(BUILDS)
]
SOME = [("Vitis", "io_parallel", 0), ("Vitis", "io_stream", 1)]
"""A quarter of the constructs, in one io_type: the contract of operators compiles each of them."""


def agree(backend: str, io_type: str, part: int) -> None:
    graphs, names, target = {}, {}, None
    for number, construct in enumerate(BUILT):
        if number % BUILDS != part:
            continue
        if io_type == "io_stream" and construct.stream:
            assert {d.code for d in findings(construct, io_type)} == {construct.stream}
            continue
        design = hwflow.compile(construct.model(), backend=backend, io_type=io_type)
        graphs[f"c{number}"], target = design.graph, design.target
        names[f"c{number}"] = construct.name
    assert target is not None
    graph = merged(graphs)
    found = compare_with_cpp(graph, target, mixed_data(graph, 100).inputs)
    differ = [(names[m.name.split("_")[0]], m) for m in found.layers if m.mismatches]
    assert differ == []


@pytest.mark.cpp
@pytest.mark.parametrize(("backend", "io_type", "part"), SOME)
def test_what_is_built_agrees_with_its_cpp(backend: str, io_type: str, part: int) -> None:
    agree(backend, io_type, part)


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize(("backend", "io_type", "part"), EVERY)
def test_what_is_built_agrees_with_its_cpp_on_every_target(
    backend: str, io_type: str, part: int
) -> None:
    agree(backend, io_type, part)
