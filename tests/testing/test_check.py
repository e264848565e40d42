"""The check of an operator: silent where all agree, exact about the first difference."""

from pathlib import Path

import pytest

from hwflow.cli.show.operator import check_dict, difference_lines
from hwflow.codegen.golden.definitions import golden_function
from hwflow.core.errors import CompileError
from hwflow.custom.plugins import load_plugins
from hwflow.ir.op import Op
from hwflow.testing.operators.check import check_operator
from hwflow.testing.operators.outcome import OpCheck
from hwflow.testing.operators.skeleton import write_skeleton

STEEPER = """
from hwflow.ops.relu import Relu

class Steeper(Relu):
    "Twice the positive part."
    onnx = ("com.example::Steeper",)

    def golden(self, *inputs):
        return "twice = Add(x0, x0)\\ny = Relu(twice)"
"""

PYTHON, GOLDEN = "exact and check hold in Python", "ONNX function == Python"
CPP = "C++ Vitis io_parallel == Python"


def run(folder: Path, changes: dict[str, tuple[str, str]], **options: str) -> OpCheck:
    """Check a new operator with texts of its files exchanged."""
    write_skeleton("HalfWave", folder)
    for name, (old, new) in changes.items():
        path = folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    plugins = load_plugins([folder / "half_wave.py"], installed=False)
    return check_operator("HalfWave", plugins, **{"backend": "Vitis", **options}, samples=64)


def python_only(
    folder: Path, changes: dict[str, tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> OpCheck:
    """Check a new operator, its C++ left out."""
    monkeypatch.setattr("hwflow.testing.operators.check._targets", lambda io_type, backend: [])
    return run(folder, changes)


@pytest.mark.cpp
def test_a_new_operator_passes_in_both_io_types(tmp_path: Path) -> None:
    found = run(tmp_path, {})
    assert found.holds
    names = [PYTHON, GOLDEN, CPP, CPP.replace("parallel", "stream")]
    assert [outcome.name for outcome in found.outcomes] == names
    assert all(o.values == 64 * (4 + 6 + 12) and not o.skipped for o in found.outcomes)


@pytest.mark.cpp
def test_wrong_cpp_is_found_where_it_first_differs(tmp_path: Path) -> None:
    wrong = ("    return x * x;", "    if (x < x_T(-1.5)) return x_T(1) / 8;\n    return x * x;")
    found = run(tmp_path, {"half_wave.h.j2": wrong}, io_type="io_parallel")
    held = {outcome.name: outcome.holds for outcome in found.outcomes}
    assert held == {PYTHON: True, GOLDEN: True, CPP: False}
    first = found.outcomes[-1].first
    assert first is not None
    assert first.example == "halfwave_signed"
    (operand,) = first.operands
    (place,) = first.element
    assert operand.tolist() == [-13 if i == place else 0 for i in range(4)]
    assert first.expected == (13 / 8) ** 2
    assert first.found == 1 / 8
    assert "smallest input found" in "\n".join(difference_lines(first))
    assert check_dict(found)["outcomes"][-1]["first"]["operands"][0]["reals"][place] == -13 / 8


@pytest.mark.cpp
def test_cpp_that_remembers_is_told_apart(tmp_path: Path) -> None:
    wrong = ("    return x * x;", "    static x_T last = 0;\n    x_T now = last;\n    last = x;\n"
             "    return now == 0 ? x * x : now * now;")  # fmt: skip
    found = run(tmp_path, {"half_wave.h.j2": wrong}, io_type="io_parallel")
    assert not found.outcomes[-1].holds


def test_a_wrong_golden_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "one = Constant <value = double {1.0}> ()\\ntwo = Add(x0, one)\\ny = Mul(x0, two)"
    found = python_only(tmp_path, {"half_wave.py": ("y = Mul(x0, x0)", text)}, monkeypatch)
    held = {outcome.name: outcome.holds for outcome in found.outcomes}
    assert held == {PYTHON: True, GOLDEN: False}
    first = found.outcomes[1].first
    assert first is not None
    assert sorted(abs(first.operands[0])) == [0, 0, 0, 1]
    assert abs(first.expected - first.found) == first.step


def test_no_golden_function_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = python_only(tmp_path, {"half_wave.py": ("def golden", "def _golden")}, monkeypatch)
    assert found.holds
    assert set(found.outcomes[1].skipped.values()) == {"the operator has no golden function"}


@pytest.mark.parametrize("kind", sorted(set(Op.registry) - {"Input"}))
def test_every_built_in_has_a_golden_function(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwflow.testing.operators.check._targets", lambda io_type, backend: [])
    found = check_operator(kind, samples=12)
    assert found.holds
    golden = found.outcomes[1]
    assert (golden.name, golden.skipped) == (GOLDEN, {})
    assert golden.examples >= len(list(Op.registry[kind].examples()))
    assert golden.values > 0


def test_a_golden_text_goes_before_the_body_of_a_base_class(tmp_path: Path) -> None:
    path = tmp_path / "steeper.py"
    path.write_text(STEEPER)
    plugins = load_plugins([path], installed=False)
    (cls,) = plugins.operators
    example = next(iter(cls.examples()))
    function = golden_function(example.op, example.inputs, "Steeper")
    assert [node.op_type for node in function.node] == ["Add", "Relu"]


LIES = {
    "range": ("ends.max(axis=0), 2 *", "ends.max(axis=0) - 1, 2 *", ""),
    "shape": ("TensorType.exactly(x.shape,", "TensorType.exactly((1, *x.shape),", "gives shape"),
    "batch": ("FixedArray(x.raw**2,", "FixedArray(x.raw**2 + len(x.raw) // 9,", "in a batch"),
    "place": ("x.raw**2,", "x.raw**2 * (np.arange(x.shape[-1]) > 0),", "pointwise"),
    "names": ('Example("unsigned"', 'Example("signed"', "two examples"),
    "none": ("        yield Example", "        return\n        yield Example", "gives none"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_what_python_says_of_itself(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, said = LIES[name]
    found = python_only(tmp_path, {"half_wave.py": (old, new)}, monkeypatch)
    outcome = found.outcomes[0]
    assert not outcome.holds
    if name == "range":
        assert outcome.first is not None
        assert outcome.first.found == outcome.first.expected + outcome.first.step
        assert outcome.mismatches
    else:
        assert any(said in problem for problem in outcome.problems)


def test_an_operator_that_no_target_takes(tmp_path: Path) -> None:
    found = run(tmp_path, {"half_wave.py": ("WIDEST_INPUT = 26", "WIDEST_INPUT = 2")})
    assert any("every target" in problem for problem in found.outcomes[0].problems)
    assert set(found.outcomes[-1].skipped) == {
        "halfwave_signed", "halfwave_unsigned", "halfwave_rounded",
    }  # fmt: skip
    assert not found.holds


FAILURES = {
    "compute raises": ("x.raw**2,", "x.raw**2 / np.array('a'),", "HW258"),
    "golden does not parse": ("y = Mul(x0, x0)", "y = Mul(x0", "HW257"),
    "golden is refused": ("y = Mul(x0, x0)", "y = Mull(x0, x0)", "HW257"),
    "examples raise": ("signed, unsigned =", "1 / 0\n        signed, unsigned =", "HW258"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failing_methods_are_findings(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, code = FAILURES[name]
    with pytest.raises(CompileError) as failure:
        python_only(tmp_path, {"half_wave.py": (old, new)}, monkeypatch)
    (finding,) = failure.value.diagnostics
    assert finding.code == code
    if code == "HW258":
        path, line = finding.where.split(",")[0].rsplit(":", 1)
        assert new.split("\n")[0] in Path(path).read_text().split("\n")[int(line) - 1]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(CompileError, match="HW249") as failure:
        check_operator("Densee")
    assert "Dense" in failure.value.diagnostics[0].help
    with pytest.raises(CompileError, match="HW102"):
        check_operator("Relu", io_type="io_serial")


@pytest.mark.cpp
def test_operators_of_hwflow_can_be_checked() -> None:
    found = check_operator("Maximum", io_type="io_parallel", backend="Vitis", samples=16)
    assert found.holds
    assert found.outcomes[-1].values > 0
