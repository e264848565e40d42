"""Doors for torch modules: what is advised leads from the refused file to a design."""

from __future__ import annotations

import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.core.errors import CompileError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

STEP = 0.07


class LearnedSteps(torch.nn.Module):  # type: ignore[misc]
    """A dense layer whose weights and inputs are quantised by hand, by steps of 0.07."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.linspace(-0.9, 0.9, 12).reshape(3, 4))

    def forward(self, x: Any) -> Any:
        def quantised(v: Any) -> Any:
            return torch.clamp(torch.round(v / STEP), -8, 7) * STEP

        return torch.nn.functional.linear(quantised(x), quantised(self.weight))


def test_the_older_exporter_keeps_weight_quantisers(tmp_path: Path) -> None:
    """HW211: torch's newer exporter folds them into float weights; the help names the older."""
    net, x = LearnedSteps().eval(), torch.linspace(-1, 0.8, 4)[None]
    settings: dict[str, Any] = {"input_names": ["x"], "output_names": ["y"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' own deprecation notices
        torch.onnx.export(net, (x,), tmp_path / "newer.onnx", dynamo=True, **settings)
        torch.onnx.export(net, (x,), str(tmp_path / "older.onnx"), dynamo=False, **settings)
    with pytest.raises(CompileError) as caught:
        hwflow.compile(tmp_path / "newer.onnx")
    help_ = {d.code: d.help for d in caught.value.diagnostics}["HW211"]
    assert "dynamo=False" in help_
    design = hwflow.compile(tmp_path / "older.onnx")
    (found,) = design.simulate(x.numpy()).outputs.values()
    step = np.float32(STEP)
    levels = [np.clip(np.rint(v / step), -8, 7) for v in (x.numpy(), net.weight.detach().numpy())]
    unit = Fraction(float(step)) ** 2
    expected = [float(int(n) * unit) for n in (levels[0] @ levels[1].T)[0]]
    assert np.array_equal(found[0], expected)
