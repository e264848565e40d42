"""Keras files give the model that was saved, run no code, and say what is wrong with them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.cli import main
from hwflow.core.machine import install_command
from hwflow.frontends import load
from hwflow.ir.qonnx.model import origin

pytestmark = pytest.mark.keras

ROOT = Path(__file__).parents[3]
BITS = "quantized_bits(4, 0, alpha=1)"


@pytest.fixture(scope="module")
def model() -> Any:
    """A model with two inputs and outputs, and quantisers as objects and as texts."""
    from hwflow.frontends.keras.environment import legacy_keras, quiet

    keras = legacy_keras()
    from qkeras import QActivation, QConv2D, QDense, quantized_bits, quantized_relu

    image, extra = keras.layers.Input((4, 4, 1), name="image"), keras.layers.Input((3,), name="at")
    with quiet():
        x = QActivation("quantized_bits(5, 1, alpha=1)", name="quant_image")(image)
        x = QConv2D(2, 2, kernel_quantizer=quantized_bits(4, 0, alpha="auto_po2"), name="conv",
                    bias_quantizer=BITS, activation=quantized_relu(4, 1))(x)  # fmt: skip
        pooled = keras.layers.GlobalMaxPooling2D(name="pool")(x)
        at = QActivation(quantized_bits(5, 1, alpha=1), name="quant_at")(extra)
        joined = keras.layers.Concatenate(name="join")([pooled, at])
        y = QDense(3, kernel_quantizer=quantized_bits(4, 0, alpha=np.array([1, 0.5, 2])),
                   bias_quantizer=BITS, name="fc")(joined)  # fmt: skip
    built = keras.Model([image, extra], [y, x], name="two")
    rng = np.random.default_rng(0)
    built.set_weights([rng.normal(0, 0.5, w.shape) for w in built.get_weights()])
    return built


@pytest.fixture(scope="module")
def saved(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model in every format."""
    folder = tmp_path_factory.mktemp("keras")
    model.save(folder / "two.h5")
    (folder / "two.json").write_text(model.to_json())
    model.save_weights(folder / "two_weights.h5")
    shutil.copy(folder / "two_weights.h5", folder / "other.h5")
    model.save(folder / "two.keras")
    model.save(folder / "two", save_format="tf")
    return folder


def simulated(source: Any, **given: Any) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    data = {"image": rng.normal(0, 1, (20, 4, 4, 1)), "at": rng.normal(0, 1, (20, 3))}
    return dict(hwflow.compile(source, **given).simulate(data).outputs)


def test_several_inputs_and_outputs_keep_names_and_layout(model: Any) -> None:
    rng = np.random.default_rng(1)
    data = {"image": rng.normal(0, 1, (20, 4, 4, 1)), "at": rng.normal(0, 1, (20, 3))}
    found = simulated(model)
    assert list(found) == ["fc", "conv"]
    for name, keras in zip(found, model.predict(data, verbose=0), strict=True):
        np.testing.assert_array_equal(found[name], keras)


def test_nodes_have_the_names_of_their_layers(model: Any) -> None:
    names = {origin(node) for node in load(model).ir.graph}
    assert names == {"quant_image", "conv", "pool", "quant_at", "join", "fc"}


def test_the_hardware_needs_no_transposes(model: Any) -> None:
    graph = hwflow.compile(model).graph
    assert {n.op.kind for n in graph.nodes} == {"Input", "Conv2D", "MaxPool", "Reshape", "Concat",
                                               "Dense"}  # fmt: skip


@pytest.mark.parametrize("name", ["two.h5", "two.json", "two.keras", "two"])
def test_every_format_gives_the_model_that_was_saved(model: Any, saved: Path, name: str) -> None:
    expected, found = simulated(model), simulated(saved / name)
    assert {k: v.tolist() for k, v in found.items()} == {k: v.tolist() for k, v in expected.items()}


def test_weights_may_be_elsewhere(model: Any, saved: Path) -> None:
    found = simulated(saved / "two.json", weights=saved / "other.h5")
    assert found["fc"].tolist() == simulated(model)["fc"].tolist()


def test_the_command_line_takes_weights(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(saved / "two.json"), "--weights", str(saved / "other.h5"), "--json"]
    with pytest.raises(SystemExit) as end:
        main(["inspect", *given])
    assert end.value.code == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    assert "conv" in {layer["name"] for layer in layers}


def refusal(source: Any, **given: Any) -> hwflow.Diagnostic:
    with pytest.raises(hwflow.CompileError) as error:
        load(source, **given)
    assert len(error.value.diagnostics) == 1
    return error.value.diagnostics[0]


def changed(saved: Path, folder: Path, change: Callable[[Any], None]) -> Path:
    config = json.loads((saved / "two.json").read_text())
    change(config)
    path = folder / "changed.json"
    path.write_text(json.dumps(config))
    shutil.copy(saved / "two_weights.h5", folder / "changed_weights.h5")
    return path


def layer(config: Any, name: str) -> Any:
    return next(part for part in config["config"]["layers"] if part["config"]["name"] == name)


def make_lambda(config: Any) -> None:
    layer(config, "pool").update(class_name="Lambda", module="keras.layers")


def make_own_class(config: Any) -> None:
    layer(config, "fc").update(class_name="Fancy", module="os", registered_name="Custom>Fancy")


def call_by_text(config: Any) -> None:
    layer(config, "quant_image")["config"]["activation"] = "set_internal_sigmoid('real')"


def call_deeper(config: Any) -> None:
    layer(config, "conv")["config"]["bias_quantizer"] = {"class_name": "safe_eval", "config": {}}


def call_nested(config: Any) -> None:
    layer(config, "fc")["config"]["kernel_quantizer"] = "quantized_bits(quantized_bits(1))"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (make_lambda, "pool"),
        (make_own_class, "fc"),
        (call_by_text, "quant_image"),
        (call_deeper, "conv"),
        (call_nested, "fc"),
    ],
)
def test_names_that_may_run_code_are_refused(
    saved: Path, tmp_path: Path, change: Callable[[Any], None], where: str
) -> None:
    found = refusal(changed(saved, tmp_path, change))
    assert found.code == "HW037"
    assert found.where.startswith(f"{where}, in ")


def test_modules_named_in_a_file_are_not_imported(saved: Path, tmp_path: Path) -> None:
    def name_module(config: Any) -> None:
        layer(config, "fc").update(module="antigravity_of_a_stranger")

    path = changed(saved, tmp_path, name_module)
    assert simulated(path)["fc"].tolist() == simulated(saved / "two.json")["fc"].tolist()
    assert "antigravity_of_a_stranger" not in sys.modules


def test_a_trusted_file_may_name_layers_of_ones_own(saved: Path, tmp_path: Path) -> None:
    import tf_keras
    from qkeras import QDense

    @tf_keras.utils.register_keras_serializable("Custom")
    class Fancy(QDense):  # type: ignore[misc] # only its name differs
        pass

    def name_it(config: Any) -> None:
        layer(config, "fc").update(class_name="Fancy", module=None, registered_name="Custom>Fancy")

    path = changed(saved, tmp_path, name_it)
    found = simulated(path, trust=True)
    assert found["fc"].tolist() == simulated(saved / "two.json")["fc"].tolist()


def test_a_trusted_lambda_is_loaded_but_has_no_hardware(tmp_path: Path) -> None:
    import tf_keras

    x = tf_keras.layers.Input((3,))
    model = tf_keras.Model(x, tf_keras.layers.Lambda(lambda y: y * 2, name="twice")(x))
    model.save(tmp_path / "twice.h5")
    assert refusal(tmp_path / "twice.h5").code == "HW037"
    assert refusal(tmp_path / "twice.h5", trust=True).code == "HW280"


def truncated(saved: Path, folder: Path) -> Path:
    path = folder / "cut.h5"
    path.write_bytes((saved / "two.h5").read_bytes()[:3000])
    return path


def weights_only(saved: Path, folder: Path) -> Path:
    return saved / "two_weights.h5"


def other_shape(saved: Path, folder: Path) -> Path:
    return changed(saved, folder, lambda c: layer(c, "fc")["config"].update(units=4))


def no_call(saved: Path, folder: Path) -> Path:
    return changed(saved, folder, lambda c: layer(c, "quant_image").update(inbound_nodes=[]))


def circle(saved: Path, folder: Path) -> Path:
    calls = [[["fc", 0, 0, {}]]]
    return changed(saved, folder, lambda c: layer(c, "quant_image").update(inbound_nodes=calls))


def no_json(saved: Path, folder: Path) -> Path:
    path = folder / "deep.json"
    path.write_text("[" * 100_000)
    return path


def keras_3(saved: Path, folder: Path) -> Path:
    return changed(saved, folder, lambda c: c.update(keras_version="3.5.0"))


def no_weights(saved: Path, folder: Path) -> Path:
    return Path(shutil.copy(saved / "two.json", folder / "lonely.json"))


def exported(saved: Path, folder: Path) -> Path:
    (folder / "exported").mkdir()
    (folder / "exported" / "saved_model.pb").write_bytes(b"")
    return folder / "exported"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (truncated, "HW038"),
        (weights_only, "HW038"),
        (other_shape, "HW038"),
        (no_json, "HW038"),
        (keras_3, "HW038"),
        (exported, "HW038"),
        (no_weights, "HW001"),
        (lambda saved, folder: folder / "absent.h5", "HW001"),
    ],
)
def test_bad_files(
    saved: Path, tmp_path: Path, make: Callable[[Path, Path], Path], code: str
) -> None:
    assert refusal(make(saved, tmp_path)).code == code


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (no_call, "conv takes a result of quant_image that is never computed"),
        (circle, "quant_image takes a result of fc that is never computed"),
    ],
)
def test_calls_that_keras_would_wait_for_without_end_are_refused(
    saved: Path, tmp_path: Path, make: Callable[[Path, Path], Path], found: str
) -> None:
    refused = refusal(make(saved, tmp_path))
    assert (refused.code, refused.found) == ("HW038", found)


def test_a_live_model_of_keras_3_is_read_in_the_same_process(model: Any) -> None:
    keras = pytest.importorskip("keras", minversion="3")
    x = keras.Input((3,))
    relu = keras.Model(x, keras.layers.ReLU()(x))
    assert len(hwflow.compile(relu, data=np.eye(3, dtype=np.float32)).graph.nodes) == 2
    assert len(hwflow.compile(model).graph.nodes) > 2


def test_a_model_without_a_graph() -> None:
    import tf_keras

    model = tf_keras.Sequential([tf_keras.layers.ReLU()])
    assert refusal(model).code == "HW284"


def test_an_open_axis() -> None:
    import tf_keras

    x = tf_keras.layers.Input((None, 3))
    assert refusal(tf_keras.Model(x, tf_keras.layers.ReLU()(x))).code == "HW014"


def test_keras_3_that_came_first_is_told_apart() -> None:
    code = (
        "import tensorflow as tf\n"
        "tf.keras.layers.Dense\n"
        "from hwflow.frontends.keras.environment import legacy_keras\n"
        "try:\n    legacy_keras()\nexcept Exception as error:\n    print(error)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT,
        env=environment,
    )  # fmt: skip
    assert done.stdout.startswith("error[HW036]: TensorFlow uses Keras 3")


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, saved: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = refusal(saved / "two.h5")
    assert (found.code, found.help) == ("HW035", install_command("keras"))
    assert "qkeras" in found.found
