"""Cells of Brevitas layers in a loop, which the exporter unrolls, are built exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.core.errors import CompileError

torch = pytest.importorskip("torch")
qnn = pytest.importorskip("brevitas.nn")

STEPS, INPUTS, UNITS = 3, 3, 4


class Gru(torch.nn.Module):  # type: ignore[misc, name-defined]
    """A GRU whose gates, new states and states pass quantisers."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = qnn.QuantIdentity(bit_width=6)
        self.kernel = qnn.QuantLinear(INPUTS, 3 * UNITS, bias=False, weight_bit_width=5)
        self.recurrent = qnn.QuantLinear(UNITS, 2 * UNITS, bias=False, weight_bit_width=5)
        self.candidate = qnn.QuantLinear(UNITS, UNITS, bias=False, weight_bit_width=5)
        self.gates = qnn.QuantSigmoid(bit_width=6)
        self.new = qnn.QuantTanh(bit_width=6)
        self.rest = qnn.QuantIdentity(bit_width=6)
        self.reset = qnn.QuantIdentity(bit_width=6)
        self.state = qnn.QuantIdentity(bit_width=6)

    def forward(self, x: Any) -> Any:
        rows = self.kernel(self.entry(x))
        h = self.state(torch.zeros(x.shape[0], UNITS))
        for step in range(x.shape[1]):
            row = rows[:, step]
            z, r = self.gates(row[:, : 2 * UNITS] + self.recurrent(h)).chunk(2, dim=1)
            new = self.new(row[:, 2 * UNITS :] + self.candidate(self.reset(r * h)))
            h = self.state(z * h + self.rest(1 - z) * new)
        return h


def test_an_lstm_of_brevitas_is_refused_by_name() -> None:
    """The help is what stands above, built below."""
    module = qnn.QuantLSTM(INPUTS, UNITS, batch_first=True)
    module.train()
    module(torch.randn(8, STEPS, INPUTS))
    module.eval()
    with pytest.raises(CompileError) as refused:
        hwflow.compile(module, example=np.zeros((1, STEPS, INPUTS), np.float32))
    (finding,) = refused.value.diagnostics
    assert (finding.code, finding.found) == ("HW384", "QuantLSTM of Brevitas, as one operator")


def test_a_cell_in_a_loop_is_lossless() -> None:
    torch.manual_seed(0)
    module = Gru()
    module.train()
    with torch.no_grad():
        for _ in range(20):  # scales follow what they see
            module(torch.randn(64, STEPS, INPUTS))
    module.eval()
    x = np.random.default_rng(0).normal(0, 1, (100, STEPS, INPUTS)).astype(np.float32)
    found = hwflow.compile(module, example=x[:1]).verify(x)
    assert found.faithful.holds
    assert found.lossless is not None
    assert found.lossless.holds
