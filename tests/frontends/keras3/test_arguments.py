"""Settings of Keras 3's and HGQ's layers are accounted for; numbers in operations are kept."""

import inspect
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("hgq", reason="HGQ2 is not installed")
pytestmark = pytest.mark.keras

import hgq.layers  # noqa: E402
import hgq.quantizer  # noqa: E402
import keras  # noqa: E402
from hgq.quantizer.config import default_configs  # noqa: E402

import hwflow  # noqa: E402
from hwflow.core.errors import CompileError  # noqa: E402
from hwflow.frontends.keras.arguments import HGQ_TRAINING, INERT, READ  # noqa: E402
from hwflow.frontends.keras3.attention import ATTENTION  # noqa: E402
from hwflow.frontends.keras3.hgq import HGQ  # noqa: E402
from hwflow.frontends.keras3.model import KERAS  # noqa: E402
from hwflow.frontends.keras3.recurrent import HGQ_RECURRENT  # noqa: E402

OF_BASES = {"pool_dimensions", "pool_mode", "cell", "n_out"}
OF_HGQ = {**HGQ, **ATTENTION, **HGQ_RECURRENT}
REFUSED = {"lora_rank", "lora_alpha", "quantization_config", "gptq_unpacked_column_size",
           "normalize", "use_gate", "sliding_window", "flash_attention"}  # fmt: skip
"""Settings that have to be None or False."""


def settings_of(cls: type) -> set[str]:
    names = {
        p.name
        for c in cls.__mro__
        if "__init__" in c.__dict__ and c.__module__.startswith(("keras", "hgq"))
        for p in list(inspect.signature(c.__dict__["__init__"]).parameters.values())[1:]
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    ends = ("_initializer", "_regularizer", "_constraint")
    return {n for n in names if n not in INERT and not n.endswith(ends)}


@pytest.mark.parametrize("name", [*KERAS, *OF_HGQ])
def test_every_setting_of_every_constructor_is_accounted_for(name: str) -> None:
    if name in OF_HGQ:
        cls = getattr(hgq.layers, name, None) or getattr(hgq.quantizer, name)
    else:
        cls = getattr(keras.layers, name)
    left = settings_of(cls) - READ[name] - OF_BASES - REFUSED
    assert left <= {"scale"}  # of QMeanPow2, which has one of its own
    assert not left or name == "QMeanPow2"


def test_every_setting_of_quantisers_is_accounted_for() -> None:
    fixed_point = [v for (kind, _), v in default_configs.items() if kind in ("kif", "kbi")]
    assert fixed_point
    names = {name for config in fixed_point for name in config} - {"bw_mapper"}
    assert names <= READ["HGQ quantizer"] | HGQ_TRAINING


def test_a_setting_of_a_newer_layer_is_refused(tmp_path: Path) -> None:
    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.layers.Dense(3, name="fc")(x))
    model.save(tmp_path / "net.keras")
    changed = rewritten(tmp_path / "net.keras", {"lora_rank": 4})
    with pytest.raises(CompileError) as caught:
        hwflow.load(changed)
    (finding,) = caught.value.diagnostics
    assert (finding.code, finding.found) == ("HW281", "lora_rank = 4")
    assert finding.where.startswith("fc: Dense")
    hwflow.load(rewritten(tmp_path / "net.keras", {"lora_rank": None}))  # the help: without it


def rewritten(path: Path, settings: dict[str, Any]) -> Path:
    """Return a copy of a file with other settings of its last layer."""
    changed = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["layers"][-1]["config"] |= settings
                content = json.dumps(config).encode()
            target.writestr(name, content)
    return changed


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("x + 1.5", lambda x: x + 1.5),
        ("1 - x", lambda x: 1 - x),
        ("x - 0.5", lambda x: x - 0.5),
        ("x * 2", lambda x: x * 2),
        ("x / 4", lambda x: x / 4),
        ("divide", lambda x: keras.ops.divide(x, -0.5)),
        ("maximum", lambda x: keras.ops.maximum(x, 0.25)),
        ("minimum", lambda x: keras.ops.minimum(0.5, x)),
    ],
)
def test_a_number_in_an_operation_is_not_lost(name: str, body: Any, tmp_path: Path) -> None:
    x = keras.Input((4,), name="x")
    model = keras.Model(x, body(x))
    model.save(tmp_path / "net.keras")
    data = (np.arange(-8, 8).reshape(4, 4) / 8).astype(np.float32)
    design = hwflow.compile(
        tmp_path / "net.keras", config={"input": {"x": {"type": "fixed<10,4>"}}}
    )
    (found,) = design.simulate(data).outputs.values()
    assert np.array_equal(found, np.asarray(model.predict(data, verbose=0))), name


def test_a_division_by_a_value_is_refused_and_by_a_number_not(tmp_path: Path) -> None:
    x = keras.Input((4,), name="x")
    for body, found in ((lambda v: 1 / (v + 3), "1 / x"), (lambda v: v / (v + 3), "[]")):
        keras.Model(x, body(x)).save(tmp_path / "net.keras")
        with pytest.raises(CompileError) as caught:
            hwflow.load(tmp_path / "net.keras")
        (finding,) = caught.value.diagnostics
        assert finding.found == found
    keras.Model(x, x / 3).save(tmp_path / "net.keras")
    assert hwflow.load(tmp_path / "net.keras")


def test_a_mask_is_refused(tmp_path: Path) -> None:
    x, mask = keras.Input((4,), name="x"), keras.Input((4,), name="mask", dtype="bool")
    model = keras.Model([x, mask], keras.layers.Softmax(name="scores")(x, mask=mask))
    model.save(tmp_path / "net.keras")
    with pytest.raises(CompileError, match="more than one value"):
        hwflow.load(tmp_path / "net.keras")
