"""Operators of users: found, checked, used for one compilation, refused with reasons."""

import importlib
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

import hwflow
from hwflow.codegen.hls.model import generate
from hwflow.core.config import load_config
from hwflow.core.errors import CompileError
from hwflow.custom.plugins import GROUP, load_plugins
from hwflow.ir.op import Op
from hwflow.ops import by_onnx, operators
from hwflow.testing.operators.skeleton import write_skeleton

EXAMPLE = Path(__file__).parents[2] / "examples" / "custom_layer"
PLUGIN = EXAMPLE / "complex_magnitude.py"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> onnx.ModelProto:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    proto: onnx.ModelProto = importlib.import_module("make_model").make_model()
    return proto


def without_function(proto: onnx.ModelProto) -> onnx.ModelProto:
    del proto.functions[:]
    return proto


def half_wave(folder: Path, old: str = "", new: str = "", stem: str = "half_wave") -> Path:
    """Return the path of a new operator, with a text exchanged in its Python."""
    if not (folder / f"{stem}.py").exists():
        write_skeleton("HalfWave", folder)
        (folder / "half_wave.py").rename(folder / f"{stem}.py")
    path = folder / f"{stem}.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def codes(failure: pytest.ExceptionInfo[CompileError]) -> list[str]:
    return [d.code for d in failure.value.diagnostics]


def test_a_claimed_function_is_kept_and_lossless(model: onnx.ModelProto) -> None:
    design = hwflow.compile(model, plugins=[PLUGIN])
    kinds = [node.op.kind for node in design.graph.nodes]
    assert kinds == ["Input", "ComplexMagnitude", "Dense"]
    found = design.verify(cpp=False)
    assert found.lossless is not None
    assert found.lossless.holds
    assert {layer.name for layer in found.lossless.layers} == {"iq", "magnitude", "filters"}
    values = found.simulation.layers["magnitude"].raw
    assert len(np.unique(values)) > 20


def test_an_unclaimed_function_is_expanded(model: onnx.ModelProto) -> None:
    with pytest.raises(CompileError) as failure:
        hwflow.compile(model)
    found = {d.where.split(": ")[1].split(",")[0] for d in failure.value.diagnostics}
    assert "ComplexMagnitude" not in found


def test_without_a_function_the_golden_one_is_the_reference(model: onnx.ModelProto) -> None:
    with_function = hwflow.compile(model, plugins=[PLUGIN]).verify(cpp=False)
    design = hwflow.compile(without_function(model), plugins=[PLUGIN])
    assert design.warnings == ()
    found = design.verify(cpp=False)
    assert found.lossless is not None
    assert found.lossless.holds
    assert [vars(a) for a in found.errors] == [vars(a) for a in with_function.errors]


def test_without_any_definition_the_comparison_is_left_out(
    model: onnx.ModelProto, tmp_path: Path
) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    plugin = tmp_path / PLUGIN.name
    plugin.write_text(plugin.read_text().replace("def golden", "def _golden"))
    design = hwflow.compile(without_function(model), plugins=[plugin])
    assert [w.code for w in design.warnings] == ["HW251"]
    found = design.verify(cpp=False)
    assert found.lossless is None
    assert found.errors == ()
    assert design.report(found).lossless is None


def test_a_domain_without_a_plugin_is_refused(model: onnx.ModelProto) -> None:
    with pytest.raises(CompileError) as failure:
        hwflow.compile(without_function(model))
    assert codes(failure) == ["HW012"]
    assert "--plugin" in failure.value.diagnostics[0].help


def test_a_plugin_serves_one_compilation_only(model: onnx.ModelProto) -> None:
    hwflow.compile(model, plugins=[PLUGIN])
    assert "ComplexMagnitude" not in operators()
    plugins = load_plugins([PLUGIN], installed=False)
    with plugins.active():
        assert by_onnx()["com.example::ComplexMagnitude"] is plugins.operators[0]
    assert "com.example::ComplexMagnitude" not in by_onnx()


def test_the_same_file_gives_the_same_class_until_it_changes(tmp_path: Path) -> None:
    path = half_wave(tmp_path)
    first, second = (load_plugins([path]).operators[0] for _ in range(2))
    assert first is second
    half_wave(tmp_path, "WIDEST_INPUT = 26", "WIDEST_INPUT = 25")
    assert load_plugins([path]).operators[0] is not first


def test_modules_classes_and_packages_are_plugins(tmp_path: Path) -> None:
    path = half_wave(tmp_path / "pack")
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "test_half_wave.py").unlink()
    assert [c.__name__ for c in load_plugins([tmp_path / "pack"]).operators] == ["HalfWave"]
    (cls,) = load_plugins([path]).operators
    assert load_plugins([cls]).operators == (cls,)
    assert load_plugins([sys.modules[cls.__module__]]).operators == (cls,)


def test_the_project_holds_the_kernel(model: onnx.ModelProto) -> None:
    design = hwflow.compile(model, plugins=[PLUGIN])
    header = design.project.text("firmware/nnet_utils/hwflow_complex_magnitude.h")
    assert "res_T complex_magnitude_value" in header
    assert str(EXAMPLE) not in "".join(
        f.decode("utf-8", "replace") for f in design.project.files.values()
    )


def test_plugins_from_the_settings_file(model: onnx.ModelProto, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "ops", dirs_exist_ok=True)
    settings = tmp_path / "hwflow.toml"
    settings.write_text('[plugins]\npaths = ["ops/complex_magnitude.py"]\n')
    assert str(tmp_path) not in repr(load_config(settings))
    with pytest.raises(CompileError, match=r"HW266[^$]*--plugin \S*complex_magnitude.py"):
        hwflow.compile(model, config=settings)
    named = [tmp_path / "ops" / "complex_magnitude.py"]
    for asked in ({"trust": True}, {"plugins": named}, {"plugins": named, "trust": True}):
        found = hwflow.compile(model, config=settings, **asked)
        assert found.graph.nodes[1].op.kind == "ComplexMagnitude"
    assert hwflow.compile(model, config=load_config(settings)).graph.nodes[1].op.kind


BROKEN = {
    "missing": (None, "HW250", "no such file"),
    "syntax": ("def (", "HW250", "SyntaxError"),
    "fails": ("\n\nraise ValueError('no')", "HW250", "ValueError: no"),
    "exits": ("import sys\nsys.exit(3)", "HW250", "SystemExit"),
    "empty": ("x = 1", "HW250", "no subclass"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_plugin_that_cannot_be_loaded(name: str, tmp_path: Path) -> None:
    text, code, said = BROKEN[name]
    path = tmp_path / "broken.py"
    if text is not None:
        path.write_text(text)
    before = set(sys.modules)
    with pytest.raises(CompileError) as failure:
        load_plugins([path, path])
    assert codes(failure) == [code, code]
    (finding, _) = failure.value.diagnostics
    assert said in finding.found
    assert str(path) in finding.where
    if name == "fails":
        assert finding.where.endswith("broken.py:3")
    left = [m for m in set(sys.modules) - before if "broken" in m]
    assert (name == "empty") == bool(left)
    for module in left:
        del sys.modules[module]


CLASHES = {
    "claim of hwflow": ('"com.example::HalfWave"', '"Relu"', ["HW252"]),
    "name of hwflow": ("class HalfWave(Op)", "class Dense(Op)", ["HW253"]),
    "no lower": ("def lower", "def _lower", ["HW256"]),
    "no from_onnx": ("def from_onnx", "def _from_onnx", ["HW256"]),
    "no such setting": (
        "    pointwise:", '    settings: ClassVar = ("a",)\n    pointwise:', ["HW256"]
    ),
    "claim with blanks": ("com.example::HalfWave", "com example::HalfWave", ["HW256"]),
    "claim of a standard domain": ("com.example::HalfWave", "ai.onnx::Erf", ["HW256"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CLASHES)
def test_an_operator_that_cannot_be_used(name: str, tmp_path: Path) -> None:
    old, new, expected = CLASHES[name]
    with pytest.raises(CompileError) as failure:
        load_plugins([half_wave(tmp_path, old, new)])
    assert codes(failure) == expected
    assert "half_wave.py" in failure.value.diagnostics[0].where


def test_two_plugins_that_claim_the_same(tmp_path: Path) -> None:
    paths = [half_wave(tmp_path / folder) for folder in ("a", "b")]
    with pytest.raises(CompileError) as failure:
        load_plugins(paths)
    assert codes(failure) == ["HW253", "HW252"]


def simple_model(op_type: str = "HalfWave") -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", onnx.TensorProto.INT8, ["n", 4])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    node = helper.make_node(op_type, ["x"], ["y"], domain="com.example")
    imports = [helper.make_opsetid("", 13), helper.make_opsetid("com.example", 1)]
    graph = helper.make_graph([node], "net", [x], [y])
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def test_a_custom_operator_may_be_the_last_node(tmp_path: Path) -> None:
    design = hwflow.compile(simple_model(), plugins=[half_wave(tmp_path)])
    data = np.arange(-4, 4, dtype=np.int8).reshape(2, 4)
    assert np.array_equal(design.simulate(data).outputs["y"], data.astype(float) ** 2)


def test_a_wrong_shape_is_an_error(tmp_path: Path) -> None:
    shape = (
        "    @classmethod\n    def onnx_shape(cls, attributes, *shapes):\n        return (1, 9)\n"
    )
    path = half_wave(tmp_path, "    def lower", f"{shape}\n    def lower")
    with pytest.raises(CompileError) as failure:
        hwflow.compile(simple_model(), plugins=[path])
    assert codes(failure) == ["HW259"]


TEMPLATES = {
    "no template": (None, None, "HW254"),
    "no block": ("block config", "block settings", "HW254"),
    "syntax": ("{% endcall %}", "", "HW254"),
    "name of hwflow": ("", "", "HW255"),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_that_cannot_be_used(name: str, tmp_path: Path) -> None:
    old, new, code = TEMPLATES[name]
    path = half_wave(tmp_path)
    template = tmp_path / "half_wave.h.j2"
    if old is None:
        template.unlink()
    elif code == "HW255":
        template.rename(tmp_path / "clip.h.j2")
        half_wave(tmp_path, 'kernel="half_wave"', 'kernel="clip"')
    else:
        template.write_text(template.read_text().replace(old, str(new)))
    with pytest.raises(CompileError) as failure:
        hwflow.compile(simple_model(), plugins=[path])
    assert codes(failure) == [code]
    assert str(tmp_path) in failure.value.diagnostics[0].where


def test_an_unknown_name_in_a_template_is_an_error(tmp_path: Path) -> None:
    path = half_wave(tmp_path)
    template = tmp_path / "half_wave.h.j2"
    template.write_text(template.read_text().replace("map_config(name", "map_config(nome"))
    design = hwflow.compile(simple_model(), plugins=[path])
    with pytest.raises(CompileError) as failure:
        generate(design.graph, design.target)
    assert codes(failure) == ["HW254"]
    assert "nome" in failure.value.diagnostics[0].found


def install(folder: Path, target: str) -> None:
    """Make a folder look like an installed distribution with an entry point."""
    info = folder / "radio_ops-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: radio-ops\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nradio = {target}\n")


def test_installed_packages_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half_wave(tmp_path, stem="radio_ops_half_wave")
    install(tmp_path, "radio_ops_half_wave")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [c.__name__ for c in load_plugins().operators] == ["HalfWave"]
    assert load_plugins(installed=False).operators == ()
    both = load_plugins([sys.modules["radio_ops_half_wave"]])
    assert len(both.operators) == 1
    assert hwflow.compile(simple_model()).graph.nodes[1].op.kind == "HalfWave"
    del sys.modules["radio_ops_half_wave"]


@pytest.mark.parametrize("target", ["radio_ops_missing", "math:pi"])
def test_an_installed_package_that_fails_is_named(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: onnx.ModelProto
) -> None:
    install(tmp_path, target)
    monkeypatch.syspath_prepend(str(tmp_path))
    design = hwflow.compile(model, plugins=[PLUGIN])
    (warning,) = design.warnings
    assert (warning.code, warning.severity) == ("HW250", "warning")
    assert "radio-ops 1.2" in warning.where
    with pytest.raises(CompileError) as failure:
        hwflow.compile(simple_model())
    assert codes(failure) == ["HW012", "HW250"]


def test_no_two_built_in_operators_claim_the_same() -> None:
    claims = [name for cls in Op.registry.values() for name in cls.onnx]
    assert len(claims) == len(set(claims))
