"""Every kind of broken or hostile model gives its own diagnostic, and nothing else happens."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tiny_models import QONNX, constant, model, node, quant

from hwflow.core.errors import CompileError
from hwflow.frontends import load
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.fold_constants import fold_constants
from hwflow.passes.model.infer_shapes import infer_shapes


def relu(**settings: object) -> onnx.ModelProto:
    return model([node("Relu", ["x"], "y")], **settings)  # type: ignore[arg-type]


def huge() -> onnx.ModelProto:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**20, 2**20])
    return model([node("MatMul", ["x", "w"], "y")], [weights])


def short() -> onnx.ModelProto:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 4], raw_data=b"\0" * 60)
    return model([node("MatMul", ["x", "w"], "y")], [weights])


def external(location: str) -> onnx.ModelProto:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 4])
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=location)
    return model([node("MatMul", ["x", "w"], "y")], [weights])


def control_flow() -> onnx.ModelProto:
    body = helper.make_graph([node("Relu", ["x"], "z")], "then", [], [])
    branch = helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)
    return model([branch], [constant("c", True, bool)])


def two_opsets() -> onnx.ModelProto:
    proto = relu()
    proto.opset_import.add(domain="ai.onnx", version=9)
    return proto


def text_input() -> onnx.ModelProto:
    proto = relu()
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    return proto


def valueless() -> onnx.ModelProto:
    proto = model([helper.make_node("Constant", [], ["c"], value=constant("c", 1)),
                   node("Add", ["x", "c"], "y")])  # fmt: skip
    proto.graph.node[0].attribute[0].ClearField("t")
    return proto


def recursive_function() -> onnx.ModelProto:
    call = helper.make_node("F", ["a"], ["b"], domain="mine")
    function = helper.make_function(
        "mine", "F", ["a"], ["b"], [call], [helper.make_opsetid("mine", 1)]
    )
    proto = model([node("F", ["x"], "y", "mine")])
    proto.functions.append(function)
    proto.opset_import.add(domain="mine", version=1)
    return proto


def text_in_no_encoding() -> onnx.ModelProto:
    proto = relu()
    proto.graph.node[0].doc_string = "docs!"
    return onnx.ModelProto.FromString(proto.SerializeToString().replace(b"docs!", b"docs\xff"))


def weights_of_open_shape() -> onnx.ModelProto:
    """Weights that are declared with an open axis, with a scale for another number of channels."""
    proto = model(
        [node("Quant", ["w", "s", "z", "b"], "q", QONNX, narrow=0),
         node("MatMul", ["x", "q"], "y")],
        [constant("w", np.ones((4, 4))), constant("s", [1, 2, 4]), constant("z", 0),
         constant("b", 4)],
    )  # fmt: skip
    proto.graph.value_info.append(
        helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, (4, None))
    )
    return proto


def more_outputs(proto: onnx.ModelProto) -> onnx.ModelProto:
    proto.graph.node[0].output.append("more")
    return proto


def attribute_of_no_function() -> onnx.ModelProto:
    proto = model([helper.make_node("LeakyRelu", ["x"], ["y"], alpha=0.5)])
    proto.graph.node[0].attribute[0].ref_attr_name = "slope"
    return proto


CASES: dict[str, tuple[str, Callable[[], onnx.ModelProto], str]] = {
    "huge shape": ("HW004", huge, "1048576 x 1048576"),
    "attribute that is no number": (
        "HW034",
        lambda: model([helper.make_node("LeakyRelu", ["x"], ["y"], alpha=float("nan"))]),
        "alpha: a value that is not finite",
    ),
    "attribute without a value": ("HW034", lambda: valueless(), "value: it has no value"),
    "many axes": ("HW004", lambda: relu(shape=(1,) * 40), "supported: up to 16"),
    "huge input": ("HW004", lambda: relu(shape=(1, 2**40)), "1099511627776"),
    "external outside": ("HW005", lambda: external("../secret"), "../secret"),
    "external absolute": ("HW005", lambda: external("/etc/hostname"), "/etc/hostname"),
    "external windows": ("HW005", lambda: external("C:\\secret"), "secret"),
    "external backslash": ("HW005", lambda: external("..\\secret"), "secret"),
    "external empty": ("HW005", lambda: external(""), "outside"),
    "external missing": ("HW006", lambda: external("nothing.bin"), "missing"),
    "empty graph": ("HW007", lambda: model([]), "no nodes"),
    "cycle": (
        "HW008",
        lambda: model(
            [node("Add", ["x", "b"], "a"), node("Relu", ["a"], "b"), node("Relu", ["b"], "y")]
        ),
        "n_a: Add",
    ),
    "defined twice": (
        "HW009", lambda: model([node("Relu", ["x"], "y"), node("Abs", ["x"], "y")]), "'y'"
    ),
    "undefined": ("HW010", lambda: model([node("Add", ["x", "ghost"], "y")]), "'ghost'"),
    "undefined output": ("HW010", lambda: relu(output="other"), "'other'"),
    "nan": (
        "HW011",
        lambda: model([node("Add", ["x", "w"], "y")], [constant("w", [0, np.nan, 1, 2])]),
        "nan, at flat index 1",
    ),
    "infinity": (
        "HW011", lambda: model([node("Add", ["x", "w"], "y")], [constant("w", [np.inf] * 4)]), "inf"
    ),
    "domain": ("HW012", lambda: model([node("Fused", ["x"], "y", "com.evil")]), "com.evil::Fused"),
    "old opset": ("HW013", lambda: relu(opset=5), "opset 5"),
    "new opset": ("HW013", lambda: relu(opset=999), "opset 999"),
    "text in no encoding": ("HW002", text_in_no_encoding, "not UTF-8"),
    "no opset at all": ("HW013", lambda: relu(opset=-(2**62)), "opset -4611686018427387904"),
    "two opsets": ("HW013", two_opsets, "13, 9"),
    "open axis": ("HW014", lambda: relu(shape=("N", "L")), "[N, L]"),
    "no shape": ("HW014", lambda: relu(shape=None), "no shape"),
    "short data": ("HW015", short, "[4, 4]"),
    "control flow": ("HW017", control_flow, "If"),
    "batch of 7": (
        "HW018",
        lambda: model(
            [node("Add", ["x", "c"], "y")], [constant("c", np.ones((7, 4)))], shape=(7, 4)
        ),
        "[7, 4]",
    ),
    "recursive function": ("HW019", recursive_function, "function"),
    "text input": ("HW029", text_input, "'x'"),
    "scale at run time": (
        "HW020",
        lambda: model(
            [node("Abs", ["x"], "s"), node("Quant", ["x", "s", "z", "b"], "y", QONNX, narrow=0)],
            [constant("z", 0), constant("b", 4)],
        ),
        "scale of a quantiser is computed",
    ),
    "zero scale": ("HW021", lambda: quant(0.0), "[0.]"),
    "negative scale": ("HW021", lambda: quant(-0.5), "[-0.5]"),
    "fractional width": ("HW022", lambda: quant(bits=2.5), "[2.5]"),
    "width 0": ("HW022", lambda: quant(bits=0), "[0.]"),
    "width 40": ("HW022", lambda: quant(bits=40), "[40.]"),
    "width per channel": ("HW022", lambda: quant(bits=[1, 2, 3, 4]), "[1. 2. 3. 4.]"),
    "rounding mode": ("HW023", lambda: quant(rounding_mode="ROUNDD"), "did you mean 'ROUND'?"),
    "zero point": ("HW024", lambda: quant(zero_point=0.5), "[0.5]"),
    "outputs of quant": ("HW025", lambda: more_outputs(quant()), "number of outputs"),
    "outputs of relu": ("HW025", lambda: more_outputs(relu()), "number of outputs"),
    "attribute of no function": ("HW034", attribute_of_no_function, "stands for an attribute"),
    "inputs of quant": (
        "HW025",
        lambda: model([node("Quant", ["x", "s"], "y", QONNX, narrow=0)], [constant("s", 1)]),
        "supported: 4",
    ),
    "shapes": (
        "HW030",
        lambda: model([node("MatMul", ["x", "w"], "y")], [constant("w", np.ones((3, 2)))]),
        "MatMul",
    ),
    "scale that does not fit": ("HW030", lambda: quant([1, 2, 4]), "scale of shape (3,)"),
    "scale that does not fit weights": ("HW030", weights_of_open_shape, "scale of shape (3,)"),
    "scale that spreads": ("HW030", lambda: quant(np.ones((3, 4))), "scale of shape (3, 4)"),
    "truncations": (
        "HW021",
        lambda: model(
            [node("Trunc", ["x", "s", "z", "i", "o", "b"], "y", QONNX, rounding_mode="FLOOR")],
            [constant("s", 1), constant("z", 0), constant("i", 8), constant("b", 4),
             constant("o", [1, 2, 4, 8])],
        ),
        "no one ratio",
    ),
    "unknown operator": ("HW031", lambda: model([node("Mystery", ["x"], "y", QONNX)]), "Mystery"),
    "shape from data": ("HW031", lambda: model([node("NonZero", ["x"], "y")]), "NonZero"),
    "infinite constant": (
        "HW032",
        lambda: model(
            [node("Div", ["a", "b"], "c"), node("Add", ["x", "c"], "y")],
            [constant("a", 1), constant("b", 0)],
        ),
        "not finite",
    ),
}  # fmt: skip


def codes(path: Path) -> list[str]:
    """Return the codes of all findings; none where the model is fine."""
    try:
        fold_constants(infer_shapes(clean_model(load(path))))
    except CompileError as error:
        return [d.code for d in error.diagnostics]
    return []


@pytest.mark.parametrize("case", CASES)
def test_code_and_text(case: str, tmp_path: Path) -> None:
    code, build, text = CASES[case]
    path = tmp_path / "bad.onnx"
    path.write_bytes(build().SerializeToString())
    with pytest.raises(CompileError) as caught:
        fold_constants(infer_shapes(clean_model(load(path))))
    assert {d.code for d in caught.value.diagnostics} == {code}
    assert text in str(caught.value)
    assert "bad.onnx" in str(caught.value)


def test_all_findings_at_once() -> None:
    proto = model(
        [node("Fused", ["x", "ghost"], "a", "com.evil"), node("Add", ["a", "w"], "y")],
        [constant("w", [np.nan] * 4)],
        shape=("N", "L"),
        opset=5,
    )
    with pytest.raises(CompileError) as caught:
        load(proto)
    assert [d.code for d in caught.value.diagnostics] == ["HW010", "HW013", "HW012", "HW011"]


def test_printed_form() -> None:
    with pytest.raises(CompileError) as caught:
        fold_constants(infer_shapes(load(quant(-0.5))))
    assert str(caught.value) == (
        "error[HW021]: scale of a quantiser is not a positive number\n"
        "  --> n_y: Quant, in tiny\n"
        "      found:     [-0.5]\n"
        "      supported: finite and > 0"
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "HW002"), (b"not a model", "HW002"), (b"\x08\x08", "HW002"), (None, "HW001")],
)
def test_damaged_files(content: bytes | None, code: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CompileError) as caught:
        load(path)
    assert [d.code for d in caught.value.diagnostics] == [code]


def test_truncation_at_every_byte_is_an_error_or_a_model(tmp_path: Path) -> None:
    data = quant().SerializeToString()
    for end in range(len(data)):
        path = tmp_path / "cut.onnx"
        path.write_bytes(data[:end])
        assert all(re.fullmatch(r"HW(0\d\d|386)", code) for code in codes(path))


def test_corruption_is_an_error_or_a_model(tmp_path: Path) -> None:
    data = quant().SerializeToString()
    rng = np.random.default_rng(0)
    path = tmp_path / "corrupt.onnx"
    for _ in range(1500):
        corrupt = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            corrupt[rng.integers(len(corrupt))] = rng.integers(256)
        path.write_bytes(bytes(corrupt))
        assert all(re.fullmatch(r"HW(0\d\d|386)", code) for code in codes(path))


def test_folders_and_other_formats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "state.pth").write_bytes(b"x")
    for name, code in (("folder.onnx", "HW001"), ("state.pth", "HW016"), ("a\0b.onnx", "HW001")):
        with pytest.raises(CompileError) as caught:
            load(tmp_path / name)
        assert [d.code for d in caught.value.diagnostics] == [code]


def test_large_files_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2**31 + 1)  # sparse: takes no space
    with pytest.raises(CompileError, match="HW003"):
        load(path)


def test_other_objects_are_refused() -> None:
    with pytest.raises(CompileError, match=r"HW016.*\n.*builtins\.int"):
        load(3)


def test_external_data_in_the_folder_is_read(tmp_path: Path) -> None:
    weights = np.arange(16, dtype=np.float32)
    (tmp_path / "w.bin").write_bytes(weights.tobytes())
    (tmp_path / "m.onnx").write_bytes(external("w.bin").SerializeToString())
    loaded = load(tmp_path / "m.onnx")
    value = loaded.ir.graph.initializers["w"].const_value
    assert value is not None
    np.testing.assert_array_equal(value.numpy().ravel(), weights)


@pytest.mark.parametrize("size", [63, 0])
def test_short_external_data_is_refused(size: int, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(size))
    (tmp_path / "m.onnx").write_bytes(external("w.bin").SerializeToString())
    with pytest.raises(CompileError, match="HW006"):
        load(tmp_path / "m.onnx")


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "w.bin").symlink_to(tmp_path / "secret")
    (folder / "m.onnx").write_bytes(external("w.bin").SerializeToString())
    with pytest.raises(CompileError, match=r"HW005(.|\n)*a link"):
        load(folder / "m.onnx")


def test_nan_in_external_data_is_found(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(np.full(16, np.nan, np.float32).tobytes())
    (tmp_path / "m.onnx").write_bytes(external("w.bin").SerializeToString())
    with pytest.raises(CompileError, match="HW011"):
        load(tmp_path / "m.onnx")


def test_models_in_memory_may_not_name_files() -> None:
    with pytest.raises(CompileError, match="HW005"):
        load(external("w.bin"))


def test_hostile_names_are_printed_on_one_line() -> None:
    proto = model([node("Add", ["x", "\x1b[2J\nghost"], "y")])
    with pytest.raises(CompileError) as caught:
        load(proto)
    assert "?[2J?ghost" in str(caught.value)
    assert "\x1b" not in str(caught.value)
