"""The checks notice what they are there for: each test breaks one thing on purpose.

A mutation is put into the generated project or into the compiler, and the comparison that a user
gets must fail, at the mutated layer.
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.codegen.project import Project
from hwflow.project.design import Design
from hwflow.simulate import cpp
from hwflow.simulate.samples import made_data
from hwflow.verify import comparison
from tests.fixtures import model, table_network
from tests.mutants.equivalent import why_equivalent
from tests.mutants.plant import CONSTANT, PARAMETERS, Mutant
from tests.mutants.program import never_positive
from tests.mutants.sweep import EXAMPLES as NETWORKS
from tests.mutants.sweep import OPERATORS, Subject, summary, sweep
from tests.mutants.unread import never_read
from tests.networks import Builder

EXAMPLES = Path(__file__).parents[2] / "examples"


def mlp() -> Design:
    return hwflow.compile(EXAMPLES / "digits_mlp.onnx")


def check(design: Design, change: Callable[[str, str], str]) -> comparison.Agreement:
    """Compare the simulation with the C++ of a project some of whose text is changed."""
    files = dict(design.project.files)
    for path, content in design.project.files.items():
        if path.startswith("firmware/") and path.count("/") <= 2:
            files[path] = change(path, content.decode()).encode()
    assert files != design.project.files, "the mutation found nothing to change"
    mutant = Project(design.project.name, files)
    built = cpp.build(design.graph, mutant, design.target)
    data = made_data(design.graph).inputs
    simulation = comparison.full_simulation(design.graph, data)
    return comparison.check_faithful(design.graph, built, data, simulation)


@pytest.mark.cpp
def test_a_wrong_rounding_mode_is_noticed() -> None:
    found = check(
        mlp(),
        lambda path, text: (
            text.replace("AP_RND_CONV", "AP_TRN") if path.endswith("defines.h") else text
        ),
    )
    assert not found.holds
    assert found.first is not None


@pytest.mark.cpp
def test_one_wrong_rounding_mode_at_ties_only_is_noticed() -> None:
    found = check(
        mlp(),
        lambda path, text: (
            text.replace("AP_RND_CONV", "AP_RND") if path.endswith("defines.h") else text
        ),
    )
    assert not found.holds
    assert found.first is not None
    assert "one step apart" in found.first.cause


@pytest.mark.cpp
def test_a_transposed_weight_is_noticed() -> None:
    design = mlp()
    weight = design.graph.by_name["fc2"].op.weight.raw
    assert weight.shape[0] == weight.shape[1]

    def transposed(path: str, text: str) -> str:
        if not path.endswith("weights/fc2_weight.txt"):
            return text
        values = np.array(text.replace("\n", "").split(", "))
        return ", ".join(values.reshape(weight.shape).T.ravel())

    found = check(design, transposed)
    assert found.first is not None
    assert found.first.layer == "fc2"


@pytest.mark.cpp
def test_a_dropped_bias_is_noticed() -> None:
    def dropped(path: str, text: str) -> str:
        if not path.endswith("weights/fc1_bias.txt"):
            return text
        return ", ".join("0" for _ in text.split(","))

    found = check(mlp(), dropped)
    assert found.first is not None
    assert found.first.layer == "fc1"


def test_a_dropped_bias_quantiser_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hardware is right about the wrong bias; only the comparison with the model can tell."""
    fold_module = importlib.import_module("hwflow.passes.model.fold_constants")
    folded = fold_module._fold

    def forgetful(graph: object, node: object, quantizer: object) -> None:
        is_bias = quantizer is not None and len(node.inputs[0].shape or ()) == 1  # type: ignore[attr-defined]
        if is_bias:
            wide = quantizer.bit_width + 6  # type: ignore[attr-defined]
            quantizer = replace(quantizer, bit_width=wide, scale=quantizer.scale / 64)  # type: ignore
        folded(graph, node, quantizer)  # type: ignore[arg-type]

    monkeypatch.setattr(fold_module, "_fold", forgetful)
    found = mlp().verify(EXAMPLES / "digits.npz", cpp=False).lossless
    assert found is not None
    assert not found.holds


OFF_BY_ONE = {
    8: (
        "nnet_utils/hwflow_lookup.h",
        "return bits.to_uint();",
        "return bits.to_uint() > 0 ? bits.to_uint() - 1 : 0;",
    ),
    14: (
        "nnet_utils/nnet_activation.h",
        "index = data_round + 8 * CONFIG_T::table_size / 16;",
        "index = data_round + 8 * CONFIG_T::table_size / 16 + 1;",
    ),
}
"""By input width: narrow inputs have a table of their own, wide ones hls4ml's."""


@pytest.mark.cpp
@pytest.mark.parametrize("bits", OFF_BY_ONE)
def test_an_off_by_one_table_index_is_noticed(bits: int) -> None:
    file, right, wrong = OFF_BY_ONE[bits]
    found = check(
        hwflow.compile(table_network(bits)),
        lambda path, text: text.replace(right, wrong) if path.endswith(file) else text,
    )
    assert found.first is not None
    assert found.first.layer.startswith("sigmoid")


@pytest.mark.cpp
@pytest.mark.parametrize(
    ("path", "compiled"),
    [
        ("tests/models/float_scale.onnx", 2),
        pytest.param("examples/digits_residual.onnx", 0, marks=pytest.mark.slow),
    ],
)
def test_wrong_constants_are_found_without_data(path: str, compiled: int) -> None:
    """Weights, biases, thresholds and offsets in the compiled C++; a few types and parameters."""
    counts = {"value": 40, "type": compiled, "parameter": compiled}
    outcomes = list(sweep([Subject(EXAMPLES.parent / path)], counts, seed=3))
    assert len(outcomes) == sum(counts.values())
    assert [str(o.mutant) for o in outcomes if o.verdict == "survived"] == []
    assert sum(o.verdict == "found" for o in outcomes) >= 30


def test_an_equivalent_constant_is_told_apart() -> None:
    """Sums of even weights are even: an odd threshold may as well be one less, or not."""
    design = hwflow.compile(EXAMPLES.parent / "tests" / "models" / "float_scale.onnx")
    path = "firmware/weights/act_thresholds.txt"
    values = [int(v) for v in design.project.text(path).split(",")]
    even = design.graph.by_name["fc1"].op.weight.raw[:, 5]  # type: ignore[attr-defined]
    assert not (even % 2).any()
    place = 5 * 15 + 7
    odd = values[place] % 2

    def reason(change: int) -> str:
        text = str(values[place])
        mutant = Mutant("value", path, "thresholds_3", place, text, str(values[place] + change))
        return why_equivalent(design, mutant)

    assert reason(1 if odd else -1)
    assert not reason(-1 if odd else 1)


def test_channels_that_are_proven_to_be_0_are_0_for_all_inputs() -> None:
    """Held against every input of networks of five inputs and two bits each."""
    proven = still = 0
    for seed in range(6):
        b = Builder(np.random.default_rng(seed))
        x = b.quant("x", 2, 0.5, signed=False)
        x = b.node("Gemm", [x, b.weight((5, 6), 4, 1 / 4), b.bias(6)])
        x = b.quant(b.node("Relu", [x]), 3, 0.5, signed=False)
        x = b.node("Gemm", [x, b.weight((6, 8), 4, 1 / 4), b.bias(8)])
        x = b.quant(b.node("Relu", [x]), 3, 8.0, signed=False)
        graph = hwflow.compile(model(b, x, (1, 5), (1, 8))).graph
        last = graph.nodes[-1]
        every = 0.5 * np.array(list(product(range(4), repeat=5)), np.float32)
        (results,) = comparison.full_simulation(graph, {"x": every}).outputs.values()
        for channel in range(8):
            zero = not results[:, channel].any()
            found = never_positive(graph, last, last.op, channel)
            assert zero or not found
            proven, still = proven + found, still + zero
    assert 0 < proven <= still < 48


@pytest.mark.cpp
def test_a_parameter_that_nothing_reads_is_told_apart() -> None:
    project = hwflow.compile(EXAMPLES.parent / "tests" / "models" / "conv1d.onnx").project
    text = project.text(PARAMETERS)
    for name, unread in (("pad_left", True), ("n_filt", False)):
        line = next(m for m in CONSTANT.finditer(text) if m[1] == name)
        mutant = Mutant(
            "parameter", PARAMETERS, f"config::{name}", line.start(2), line[2],
            str(int(line[2]) + 1), line[0],
        )  # fmt: skip
        assert never_read(project, mutant) == unread


@pytest.mark.slow
@pytest.mark.cpp
def test_nearly_all_wrong_constants_are_found_without_data() -> None:
    """At least 99 of 100 of those that change a bit; the others are printed."""
    subjects = [Subject(path) for path in (*NETWORKS, *OPERATORS)]
    outcomes = list(sweep(subjects, {"value": 850, "type": 100, "parameter": 50}, seed=0))
    print(summary(outcomes))
    real = [o for o in outcomes if o.verdict != "equivalent"]
    assert len(outcomes) == 1000
    assert sum(o.verdict == "survived" for o in real) <= 0.01 * len(real)
