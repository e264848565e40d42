"""What keeps torch from rounding early: settings while the golden model runs, and their check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import torch


class _Shared:
    """How many runs rely on the settings, which belong to the process.

    Attributes:
        lock: held while the others change.
        runs: that have entered and not left.
        restore: puts the settings back.
        cores: threads of torch before.
    """

    lock = Lock()
    runs = 0
    cores = 0
    restore: Callable[[], None]


@contextmanager
def full_precision(threads: int = 0) -> Iterator[None]:
    """Let torch compute in the arithmetic that tensors are in, and restore its settings behind.

    No TF32 or bfloat16 in products and convolutions, no NNPACK, whose convolutions are Winograd's,
    no autocast. Several threads may be inside; torch in others has these settings meanwhile.

    Args:
        threads: threads of torch on the CPU; 0 to leave them as they are.
    """
    with _Shared.lock:
        if _Shared.runs == 0:
            _Shared.cores, _Shared.restore = torch.get_num_threads(), _set()
        _Shared.runs += 1
    try:
        torch.set_num_threads(threads or _Shared.cores)
        with (
            torch.inference_mode(),
            torch.autocast("cpu", enabled=False),
            torch.autocast("cuda", enabled=False),
        ):
            yield
    finally:
        with _Shared.lock:
            torch.set_num_threads(_Shared.cores)
            _Shared.runs -= 1
            if _Shared.runs == 0:
                _Shared.restore()


def _set() -> Callable[[], None]:
    """Change the settings and return what puts them back."""
    onednn = torch.backends.mkldnn
    parts: list[Any] = [torch.backends.cuda.matmul]
    parts += [getattr(onednn, part, None) for part in ("matmul", "conv")]
    parts = [part for part in parts if hasattr(part, "fp32_precision")]  # torch 2.9 and later
    precisions = [part.fp32_precision for part in parts]
    for part in parts:
        part.fp32_precision = "ieee"  # else torch refuses to tell the older setting
    older = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    (nnpack,) = torch.backends.nnpack.set_flags(_enabled=False)

    def restore() -> None:
        torch.backends.nnpack.set_flags(_enabled=nnpack)
        torch.set_float32_matmul_precision(older)
        for part, precision in zip(parts, precisions, strict=True):
            part.fp32_precision = "none"  # as a more general setting says
            if part.fp32_precision != precision:
                part.fp32_precision = precision

    return restore


@cache
def keeps_full_precision(device: Any) -> bool:
    """Return whether a device multiplies and convolves whole numbers as its arithmetic allows.

    To be asked within ``full_precision``. Factors have 16 bits in float32, which neither TF32 nor
    bfloat16 holds, and 45 in float64; sums have 23 and 51. Winograd's convolutions round sums.
    """
    from hwflow.simulate.torch.linear import convolve

    place = torch.arange(128, device="cpu")
    b = (place[:, None] * 7 + place[:64] * 5) % 3
    for dtype, bits in ((torch.float64, 44), (torch.float32, 15)):
        a = 2**bits + (place[:64, None] * 7919 + place * 104729) * 31 ** (bits // 15) % 2**bits
        found = torch.matmul(a.to(device, dtype), b.to(device, dtype))
        if not torch.equal(found.cpu().to(torch.int64), a @ b):
            return False
    x, weight = a.reshape(16, 8, 8, 8), b.ravel()[: 8 * 72].reshape(8, 8, 3, 3)
    expected = torch.conv2d(x.double(), weight.double())
    y = convolve(
        x.to(device, dtype), weight.to(device, dtype), None, strides=(1, 1), pads=(0, 0), groups=1
    )
    return bool(torch.equal(y.cpu().double(), expected))
