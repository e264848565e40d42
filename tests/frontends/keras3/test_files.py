"""Keras 3 files give what was saved, without Keras; what is wrong with them is said."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hwflow
from hwflow.frontends import load
from hwflow.ir.qonnx.model import origin

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "digits_hgq.keras"
CONFIG, WEIGHTS = "config.json", "model.weights.h5"


def changed(path: Path, **parts: bytes | None) -> Path:
    """Write the example with other parts in it: ``config`` or ``weights``; None leaves one out."""
    names = {CONFIG: "config", WEIGHTS: "weights"}
    with zipfile.ZipFile(EXAMPLE) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = parts.get(names.get(name, name), old.read(name))
            if content is not None:
                new.writestr(name, content)
    return path


def with_config(path: Path, change: Callable[[Any], None]) -> Path:
    with zipfile.ZipFile(EXAMPLE) as archive:
        config = json.loads(archive.read(CONFIG))
    change(config)
    return changed(path, config=json.dumps(config).encode())


def with_weights(path: Path, change: Callable[[Any], None]) -> Path:
    with zipfile.ZipFile(EXAMPLE) as archive:
        data = io.BytesIO(archive.read(WEIGHTS))
    with h5py.File(data, "r+") as file:
        change(file)
    return changed(path, weights=data.getvalue())


def refusal(path: Path) -> tuple[str, str]:
    with pytest.raises(hwflow.CompileError) as caught:
        hwflow.compile(path)
    (finding,) = caught.value.diagnostics
    return finding.code, f"{finding.where} {finding.found}"


def predicted(path: Path, x: Any) -> tuple[Any, Any]:
    """Return what hwflow and what HGQ2 make of samples."""
    pytest.importorskip("hgq.layers")
    import keras

    expected = keras.models.load_model(path).predict(x, verbose=0)
    (ours,) = hwflow.compile(path).simulate(x).outputs.values()
    return ours, expected


@pytest.mark.keras
def test_the_example_predicts_what_hgq_predicts() -> None:
    with np.load(ROOT / "examples" / "digits_hgq.npz") as data:
        ours, expected = predicted(EXAMPLE, data["x"][:300])
    assert np.array_equal(ours, expected)


@pytest.mark.keras
def test_the_transformer_predicts_what_hgq_predicts() -> None:
    with np.load(ROOT / "examples" / "digits_hgq.npz") as data:
        x, y = data["x"][..., 0], data["y"]
    held_out = np.random.default_rng(0).permutation(len(x))[:360]  # as its training has it
    ours, expected = predicted(ROOT / "examples" / "digits_transformer.keras", x[held_out])
    assert np.array_equal(ours, expected)
    assert (ours.argmax(axis=1) == y[held_out]).mean() > 0.97


def test_a_file_needs_neither_keras_nor_hgq() -> None:
    code = (
        "import sys\n"
        "for name in ('keras', 'hgq', 'tensorflow', 'torch'): sys.modules[name] = None\n"
        f"import hwflow; print(len(hwflow.compile({str(EXAMPLE)!r}).graph.nodes))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 5


def test_nodes_have_the_names_of_layers_and_formats_are_kept() -> None:
    model = load(EXAMPLE)
    assert {"conv1", "pool1", "conv2", "fc"} <= {origin(n) for n in model.ir.graph}
    design = hwflow.compile(EXAMPLE)
    kinds = {n.origin: n.op for n in design.graph.nodes if n.op.kind == "FixedQuant"}
    assert len(set(kinds["conv2"].types)) > 1


def test_older_files_name_layers_by_class_and_count(tmp_path: Path) -> None:
    def unnamed(file: Any) -> None:
        found: list[Any] = []
        file.visititems(lambda name, item: found.append(item))
        for item in found:
            item.attrs.pop("name", None)

    x = np.random.default_rng(0).random((5, 8, 8, 1))
    ours, theirs = (
        hwflow.compile(p).simulate(x).outputs["fc"]
        for p in (EXAMPLE, with_weights(tmp_path / "old.keras", unnamed))
    )
    assert np.array_equal(ours, theirs)


def _layer(config: Any, name: str) -> Any:
    return next(part for part in config["config"]["layers"] if part["config"]["name"] == name)


def _lambda(config: Any) -> None:
    _layer(config, "flatten").update(class_name="Lambda")


def _of_others(config: Any) -> None:
    _layer(config, "conv1").update(registered_name="mine>QConv2D", module="os")


def _function(config: Any) -> None:
    _layer(config, "conv1")["config"]["activation"] = {
        "module": "builtins", "class_name": "function", "config": "system",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [(_lambda, "HW280", "flatten"), (_of_others, "HW280", "conv1"), (_function, "HW282", "conv1")],
)
def test_what_may_run_code_is_refused(
    change: Callable[[Any], None], code: str, where: str, tmp_path: Path
) -> None:
    found = refusal(with_config(tmp_path / "bad.keras", change))
    assert found[0] == code
    assert where in found[1]


def _cycle(config: Any) -> None:
    node = _layer(config, "conv1")["inbound_nodes"][0]
    node["args"][0]["config"]["keras_history"] = ["fc", 0, 0]


def _huge(config: Any) -> None:
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, 2**40, 8, 1]


def _nothing(config: Any) -> None:
    config["config"] = None


@pytest.mark.parametrize("change", [_cycle, _huge, _nothing])
def test_damaged_configurations_are_said(change: Callable[[Any], None], tmp_path: Path) -> None:
    assert refusal(with_config(tmp_path / "bad.keras", change))[0] == "HW038"


def _external(file: Any) -> None:
    del file["layers/q_dense/vars/0"]
    file["layers/q_dense/vars/0"] = h5py.ExternalLink("/etc/passwd", "/x")


def _soft(file: Any) -> None:
    del file["layers/q_dense/vars/0"]
    file["layers/q_dense/vars/0"] = h5py.SoftLink("/layers/q_dense/vars/1")


def _missing(file: Any) -> None:
    del file["layers/q_dense/kq"]


def _texts(file: Any) -> None:
    del file["layers/q_dense/vars/0"]
    file["layers/q_dense/vars/0"] = np.array([b"a"])


@pytest.mark.parametrize("change", [_external, _soft, _missing, _texts])
def test_weights_are_numbers_in_the_file(change: Callable[[Any], None], tmp_path: Path) -> None:
    assert refusal(with_weights(tmp_path / "bad.keras", change))[0] == "HW038"


def _wide(file: Any) -> None:
    file["layers/q_dense/iq/quantizer/vars/0"][...] = 70


def _endless(file: Any) -> None:
    file["layers/q_dense/vars/0"][0, 0] = np.nan


@pytest.mark.parametrize(("change", "code"), [(_wide, "HW285"), (_endless, "HW283")])
def test_what_no_fixed_point_holds_is_refused(
    change: Callable[[Any], None], code: str, tmp_path: Path
) -> None:
    assert refusal(with_weights(tmp_path / "bad.keras", change))[0] == code


def test_broken_archives_are_said(tmp_path: Path) -> None:
    path = tmp_path / "bad.keras"
    assert refusal(changed(path, config=b"[1]"))[0] == "HW038"
    assert refusal(changed(path, weights=None))[0] == "HW038"
    assert refusal(changed(path, weights=b"no HDF5"))[0] == "HW038"
