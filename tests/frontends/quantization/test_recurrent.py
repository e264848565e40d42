"""Float recurrent networks are quantised between their steps, and are then built exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.core.errors import CompileError
from tests.cli.command import hwflow as command
from tests.recurrent_networks import INPUTS, network

EXAMPLES = Path(__file__).parents[3] / "examples"
DATA = np.random.default_rng(0).normal(0, 1, (120, 2, INPUTS)).astype(np.float32)


@pytest.mark.parametrize(
    ("op", "settings"),
    [
        pytest.param("LSTM", {"direction": "bidirectional"}, marks=pytest.mark.slow),
        ("GRU", {"linear_before_reset": 1, "initial": True}),
        ("RNN", {"activations": ["Relu"], "direction": "reverse"}),
    ],
)
def test_what_is_quantised_is_lossless(op: str, settings: dict[str, Any]) -> None:
    quantized = hwflow.quantize(network(op, steps=2, **settings), DATA, "w=6,a=6")
    found = hwflow.compile(quantized.model).verify(DATA[:40])
    assert found.faithful.holds
    assert found.lossless is not None
    assert found.lossless.holds


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits_gru", "digits_lstm"])
def test_examples_are_lossless(name: str) -> None:
    with np.load(EXAMPLES / "digits.npz") as data:
        found = hwflow.compile(EXAMPLES / f"{name}.onnx").verify(data["x"][-60:])
    assert found.faithful.holds
    assert found.lossless is not None
    assert found.lossless.holds


def test_the_help_of_what_is_not_quantised_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    proto = network("GRU", steps=2)
    onnx.save(proto, "MODEL")
    np.save("DATA", DATA)
    with pytest.raises(CompileError) as refused:
        hwflow.compile(proto)
    (finding,) = refused.value.diagnostics
    assert (finding.code, finding.where) == ("HW380", "cell: GRU, in network")
    words = finding.help.split("`")[1].split()
    Path("MODEL").rename("MODEL.onnx")
    given = {"MODEL": "MODEL.onnx", "DATA": "DATA.npy"}
    ran = command(capsys, *(given.get(word, word) for word in words[1:]))
    assert ran.status == 0
    assert hwflow.compile("QUANTIZED.onnx").verify(DATA[:40]).faithful.holds
