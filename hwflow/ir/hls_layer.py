"""What hardware is generated for, and the layers that hls4ml is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.cost import Correction


@dataclass(frozen=True)
class Machine:
    """A device, and the tool and style that hardware is generated with.

    Attributes:
        backend: hls4ml backend, ``"Vitis"`` or ``"Vivado"``.
        io_type: ``"io_parallel"`` or ``"io_stream"``.
        part: the FPGA part.
        clock_period_ns: requested clock period.
        tool: HLS tool with its version, ``"vitis 2024.1"``; empty for the newest one.
    """

    backend: str = "Vitis"
    io_type: str = "io_parallel"
    part: str = "xc7z020clg400-1"
    clock_period_ns: float = 10.0
    tool: str = ""

    @property
    def streams(self) -> bool:
        """Whether values travel through FIFOs, one pixel at a time."""
        return self.io_type == "io_stream"


@dataclass(frozen=True, kw_only=True)
class Target(Machine):
    """What the hardware is generated for, as far as operators must know.

    Attributes:
        correction: what estimates are multiplied with; None for nothing.
    """

    correction: Correction | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class HlsLayer:
    """One hls4ml layer, with every type explicit.

    Attributes:
        class_name: hls4ml's layer class; ``"HwflowKernel"`` for kernels from ``templates/ops``.
        attributes: layer attributes as hls4ml's ``from_layer_list`` takes them.
        weights: constant arrays by hls4ml's name (``weight``, ``bias``, ``scale``, ...).
        types: fixed-point types by hls4ml's precision name (``result``, ``accum``, ``table``, ...).
        strategy: ``latency``, ``resource`` or ``distributed_arithmetic``.
        reuse_factor: multiplications per multiplier.
        kernel: file stem under ``templates/ops`` that holds the C++, if hls4ml has no kernel.
    """

    class_name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, FixedArray] = field(default_factory=dict)
    types: Mapping[str, FixedType] = field(default_factory=dict)
    strategy: str = "latency"
    reuse_factor: int = 1
    kernel: str = ""
