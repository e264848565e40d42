"""``LookupDense`` in a network of one's own: torch, golden model and compiled C++ agree."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.core.errors import CompileError

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch


def layer(*sizes: int, seed: int = 0, **options: Any) -> Any:
    """Return a layer with random curves and random bits of entries."""
    torch.manual_seed(seed)
    made = hwflow.LookupDense(*sizes, **options)
    with torch.no_grad():
        curve, entry = made.tables.curve.value, made.tables.entry.fraction
        curve.add_(torch.randn_like(curve) / 4)
        entry.copy_(torch.randint(1, 6, entry.shape).float())
        made.tables.reading.fraction.sub_(torch.randint(0, 2, entry.shape).float())
    return made


def samples(*shape: int) -> Any:
    """Return samples beyond both ends of what layers take, and between their numbers."""
    return 3 * torch.rand(*shape, generator=torch.Generator().manual_seed(1)) - 1.5


@pytest.mark.cpp
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_hardware_computes_what_torch_does(io_type: str) -> None:
    net = torch.nn.Sequential(
        layer(5, 6, bits=4, integer=1), torch.nn.ReLU(),
        layer(6, 3, bits=3, integer=2, signed=False),
    )  # fmt: skip
    x = samples(60, 5)
    wanted = net(x).detach().numpy()
    design = hwflow.compile(hwflow.load(net, x), io_type=io_type)
    assert [n.op.kind for n in design.graph.nodes].count("LookupDense") == 2
    (found,) = design.simulate(x.numpy()).outputs.values()
    assert np.array_equal(found.reshape(wanted.shape), wanted)
    assert len(np.unique(wanted)) > 20
    verified = design.verify(x.numpy(), cpp=True)
    assert verified.faithful.holds
    assert verified.lossless is not None
    assert verified.lossless.mismatches == 0


def test_places_of_a_sequence_share_the_tables() -> None:
    net = layer(4, 3, bits=5, integer=0)
    x = samples(20, 6, 4)
    wanted = net(x).detach().numpy()
    assert wanted.shape == (20, 6, 3)
    assert np.array_equal(net(x.reshape(-1, 4)).detach().numpy().reshape(wanted.shape), wanted)
    (found,) = hwflow.compile(hwflow.load(net, x)).simulate(x.numpy()).outputs.values()
    assert np.array_equal(found.reshape(wanted.shape), wanted)


def test_inputs_are_cut_to_their_type() -> None:
    from hwflow.fixed import FixedType, Overflow
    from hwflow.fixed.doubles import quantize_values

    net = layer(3, 2, bits=4, integer=2)
    x = samples(50, 3) * 2
    kind = FixedType(4, 2, overflow=Overflow.SAT)
    cut = kind.step * quantize_values(x.double().numpy(), kind)
    assert torch.equal(net(x), net(torch.from_numpy(np.float32(cut))))
    assert len(np.unique(cut)) == 16
    inside = torch.tensor([[0.3, 5.0, -5.0]], requires_grad=True)
    net(inside).sum().backward()
    assert inside.grad[0, 0] != 0
    assert inside.grad[0, 1:].tolist() == [0, 0]


def trained(weight: float) -> tuple[Any, float, float]:
    """Return a layer that learned a sum of squares, and the part of its loss that is left."""
    net, x = layer(4, 1, bits=4), samples(256, 4)
    wanted = (x.clamp(-1, 1) ** 2).sum(1, keepdim=True)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    seen = []
    for _ in range(120):
        error, cost = torch.nn.functional.mse_loss(net(x), wanted), net.cost()
        optimiser.zero_grad()
        (error + weight * cost).backward()
        optimiser.step()
        seen.append(float(error.detach()))
    return net, seen[-1] / seen[0], float(net.cost().detach())


def test_training_lowers_the_loss_and_the_cost_where_it_counts() -> None:
    (net, left, dear), (_, _, cheap) = trained(0.0), trained(3e-2)
    assert left < 0.1
    assert cheap < dear / 1.5
    again = copy.deepcopy(net)
    assert torch.equal(again(samples(9, 4)), net(samples(9, 4)))


@pytest.mark.parametrize(
    "options", [{"bits": 0}, {"bits": 9}, {"integer": 40}, {"in_features": 0}]
)  # fmt: skip
def test_arguments_are_checked(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"bits|integer|inputs"):
        hwflow.LookupDense(**{"in_features": 2, "out_features": 2, **options})


def test_sums_that_float32_rounds_are_refused_and_the_help_works() -> None:
    net, x = layer(3, 2), samples(4, 3)
    with torch.no_grad():
        net.tables.entry.fraction.fill_(12.0)
        net.tables.slope.value.mul_(1e5)
    with pytest.raises(CompileError) as refused:
        hwflow.load(net, x)
    (finding,) = refused.value.diagnostics
    assert finding.code == "HW393"
    with torch.no_grad():
        net.tables.slope.value.mul_(1e-5)  # what weight decay does
    assert hwflow.load(net, x)


def test_the_example_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "tables.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (code,) = (block for block in blocks if "LookupDense(" in block)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    x = names["x"].numpy()
    wanted = names["net"](names["x"]).detach().numpy()
    assert (wanted.argmax(1) == names["y"].numpy()).mean() > 0.8
    for design in (names["design"], hwflow.compile("net.onnx")):
        (found,) = design.simulate(x).outputs.values()
        assert np.array_equal(found.reshape(wanted.shape), wanted)
