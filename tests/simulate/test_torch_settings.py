"""What keeps torch from rounding early: settings, the check of a device, and sums of 24 bits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.graph import Graph
from hwflow.ir.tensor import TensorType
from hwflow.ops.conv2d import Conv2D
from hwflow.simulate.torch import linear
from hwflow.simulate.torch.call import Run
from hwflow.simulate.torch.settings import full_precision, keeps_full_precision
from tests.golden_graphs import DEVICES, assert_same_bits, graph_of, random_values


def direct(
    x: np.ndarray, weight: np.ndarray, strides: tuple[int, int], pads: tuple[int, int], groups: int
) -> np.ndarray:
    """Return a convolution of integers, channels first, by its definition."""
    x = np.pad(x, ((0, 0), (0, 0), (pads[0],) * 2, (pads[1],) * 2))
    seen = sliding_window_view(x, weight.shape[2:], (2, 3))[:, :, :: strides[0], :: strides[1]]
    each = zip(np.split(seen, groups, axis=1), np.split(weight, groups), strict=True)
    return np.concatenate([np.einsum("nchwij,ocij->nohw", s, w) for s, w in each], axis=1)


CONVOLUTIONS = [
    # samples, channels, height, width, outputs, kernel, strides, pads, groups
    (16, 16, 8, 8, 16, (3, 3), (1, 1), (1, 1), 1),
    (1, 3, 9, 7, 5, (3, 3), (1, 1), (0, 0), 1),
    (32, 64, 14, 14, 32, (3, 3), (2, 2), (1, 1), 1),
    (4, 8, 20, 20, 8, (5, 5), (1, 2), (2, 0), 1),
    (16, 32, 8, 8, 64, (1, 1), (1, 1), (0, 0), 1),
    (3, 12, 6, 9, 8, (2, 3), (2, 1), (0, 1), 4),
    (16, 8, 8, 8, 8, (3, 3), (1, 1), (1, 1), 8),
    (2, 4, 5, 5, 12, (3, 2), (2, 2), (1, 1), 4),
    (5, 6, 1, 30, 4, (1, 7), (1, 3), (0, 3), 1),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("function", [linear.convolve, linear.convolve_windows])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions_are_exact_up_to_24_bits(
    case: tuple[Any, ...], function: Run, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, channels, height, width, outputs, kernel, strides, pads, groups = case
    rng = np.random.default_rng(0)
    fan_in = channels // groups * kernel[0] * kernel[1]
    largest = (2**24 - 1) // (3 * fan_in)
    x = rng.integers(-largest, largest + 1, (samples, channels, height, width))
    weight = rng.integers(-3, 4, (outputs, channels // groups, *kernel))
    x[0], weight[0] = largest, 3  # the greatest sum
    monkeypatch.setattr(linear, "WINDOW_ELEMENTS", 3 * channels * 9 * 64)  # several parts
    a, b = (torch.from_numpy(v.astype(np.float32)).to(device) for v in (x, weight))
    with full_precision():
        found = function(a, b, None, strides=strides, pads=pads, groups=groups).cpu().numpy()
    expected = direct(x, weight, strides, pads, groups)
    assert np.abs(expected).max() > 2**23
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("device", DEVICES)
def test_whole_numbers_multiply_without_a_product_of_matrices(device: str) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-(2**28), 2**28, (2, 3, 5, 7)), rng.integers(-(2**28), 2**28, (3, 7, 4))
    for function in (linear.multiply, linear.multiply_whole):
        found = function(torch.from_numpy(a).to(device), torch.from_numpy(b).to(device))
        np.testing.assert_array_equal(found.cpu().numpy(), a @ b)


def convolution() -> Graph:
    """A convolution whose sums reach 24 bits."""
    rng = np.random.default_rng(1)
    weight = FixedArray(rng.integers(-7, 8, (3, 3, 16, 8)), FixedType(4, 4))
    bias = FixedArray(rng.integers(-7, 8, 8), FixedType(4, 4))
    conv = Conv2D(weight=weight, bias=bias, strides=(1, 1), pads=((1, 1), (1, 1)))
    return graph_of(conv, TensorType.full((8, 8, 16), FixedType(15, 15)))


def settings() -> dict[str, Any]:
    precision = torch._C._get_fp32_precision_getter
    parts = [("generic", "all"), ("cuda", "all"), ("cuda", "matmul"), ("mkldnn", "all"),
             ("mkldnn", "matmul"), ("mkldnn", "conv")]  # fmt: skip
    found: dict[str, Any] = {"/".join(part): precision(*part) for part in parts}
    found["threads"], found["inference"] = (
        torch.get_num_threads(),
        torch.is_inference_mode_enabled(),
    )
    try:
        found["older"] = torch.get_float32_matmul_precision()
    except RuntimeError as error:  # the newer settings contradict it
        found["older"] = str(error)
    return found | {"nnpack": torch._C._get_nnpack_enabled()}


@pytest.fixture
def own_settings() -> Iterator[None]:
    yield
    torch.backends.fp32_precision = "none"
    torch.backends.mkldnn.conv.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")
    for part in (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul):
        part.fp32_precision = "none"
    torch.backends.nnpack.set_flags(_enabled=True)


def leave() -> None:
    """Change nothing."""


def set_conv() -> None:
    torch.backends.mkldnn.conv.fp32_precision = "bf16"


def set_all() -> None:
    torch.backends.fp32_precision = "tf32"


def set_cuda() -> None:
    torch.backends.cuda.matmul.fp32_precision = "tf32"


CHANGES = [
    leave, set_conv, set_all, set_cuda,
    lambda: torch.set_float32_matmul_precision("medium"),
    lambda: torch.set_float32_matmul_precision("high"),
    lambda: torch.backends.nnpack.set_flags(_enabled=False),
]  # fmt: skip


@pytest.mark.usefixtures("own_settings")
@pytest.mark.parametrize("change", CHANGES)
def test_settings_are_exact_inside_and_restored(change: Callable[[], object]) -> None:
    graph = convolution()
    data = random_values((graph.types["in0"],), 17)
    change()
    before = settings()
    with full_precision(1):
        inside = settings()
    assert_same_bits(graph, data)
    assert settings() == before
    for name in ("cuda/matmul", "mkldnn/matmul", "mkldnn/conv"):
        assert inside[name] == "ieee"
    assert (inside["older"], inside["nnpack"], inside["threads"]) == ("highest", False, 1)
    assert inside["inference"]


AROUND: list[Callable[[], AbstractContextManager[object]]] = [
    lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    lambda: torch.device("meta"),
    lambda: torch.backends.mkldnn.flags(enabled=False),
    nullcontext,
]


@pytest.mark.filterwarnings("ignore:TF32 acceleration")  # of torch, on mkldnn.flags itself
@pytest.mark.parametrize("around", AROUND)
def test_bits_do_not_depend_on_what_is_around(
    around: Callable[[], AbstractContextManager[object]],
) -> None:
    graph = convolution()
    data = random_values((graph.types["in0"],), 17)
    keeps_full_precision.cache_clear()
    with around():
        assert_same_bits(graph, data)


def test_settings_stay_while_another_thread_runs() -> None:
    entered, go = threading.Event(), threading.Event()
    before = settings()

    def other() -> None:
        with full_precision(1):
            entered.set()
            go.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(10)
    with full_precision(1):
        pass
    assert settings()["cuda/matmul"] == "ieee"
    go.set()
    thread.join(10)
    assert settings() == before


@pytest.mark.parametrize("device", DEVICES)
def test_inexact_arithmetic_is_found(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = torch.device(device)
    with full_precision():
        assert keeps_full_precision.__wrapped__(place)
    product, convolve = torch.matmul, linear.convolve

    def tf32(x: torch.Tensor) -> torch.Tensor:
        bits = x.float().view(torch.int32)
        return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)

    monkeypatch.setattr(
        torch, "matmul",
        lambda a, b: product(tf32(a), tf32(b)) if a.dtype == torch.float32 else product(a, b),
    )  # fmt: skip
    assert not keeps_full_precision.__wrapped__(place)
    monkeypatch.undo()
    monkeypatch.setattr(
        linear, "convolve", lambda x, w, *more, **named: convolve(x, tf32(w), *more, **named)
    )
    assert keeps_full_precision.__wrapped__(place)  # small weights need few bits
    monkeypatch.setattr(
        linear, "convolve", lambda x, *more, **named: convolve(tf32(x), *more, **named)
    )
    assert not keeps_full_precision.__wrapped__(place)


@pytest.mark.filterwarnings("ignore:TF32 acceleration")  # of torch, on mkldnn.flags itself
@pytest.mark.skipif(not torch.backends.nnpack.is_available(), reason="torch without NNPACK")
def test_winograd_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_nnpack(x: Any, weight: Any, bias: Any, *, strides: Any, pads: Any, groups: int) -> Any:
        with torch.backends.mkldnn.flags(enabled=False), torch.backends.nnpack.flags(enabled=True):
            return torch.conv2d(x.contiguous(), weight, bias, strides, pads, 1, groups)

    monkeypatch.setattr(linear, "convolve", by_nnpack)
    assert not keeps_full_precision.__wrapped__(torch.device("cpu"))
