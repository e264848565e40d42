"""Runs the golden model with torch, on the CPU or on CUDA."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hwflow.codegen.golden.model import golden_model
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.machine import install_command
from hwflow.ir.graph import Graph
from hwflow.ir.qonnx.model import printable
from hwflow.simulate.onnxruntime import Array, Arrays, port_feeds, real_outputs

if TYPE_CHECKING:
    from hwflow.simulate.torch.program import Program

DEVICES = ("cpu", "cuda")
"""Kinds of devices that have float64."""


class TorchEngine:
    """The golden model of a graph on torch tensors, with the bits of ``GoldenEngine``."""

    def __init__(
        self,
        graph: Graph,
        *,
        layers: Collection[str] = (),
        device: str = "cpu",
        threads: int = 0,
    ) -> None:
        """Build the model and put its constants on the device.

        Args:
            graph: the hardware graph.
            layers: see ``golden_model``.
            device: ``cpu``, ``cuda`` or ``cuda:N``.
            threads: threads of torch on the CPU; 0 for as many as torch takes.

        Raises:
            CompileError: HW035, torch is missing; HW565, a layer has no golden function; HW570, the
                device is not there; HW571, it does not compute exactly; HW572, a function has an
                operator that is not known here.
        """
        if find_spec("torch") is None:
            raise CompileError([_missing()])
        self.graph = graph
        self._layers, self._threads = layers, threads
        self.device = _device(device)
        self._check_arithmetic()
        self._program = self._laid_out(double=False)

    def _check_arithmetic(self) -> None:
        """Make sure that the device is exact in fact.

        Raises:
            CompileError: HW571, it is not.
        """
        from hwflow.simulate.torch.settings import full_precision, keeps_full_precision

        with full_precision(self._threads):
            if not keeps_full_precision(self.device):
                raise CompileError([_reduced_precision(self.device)])

    @cached_property
    def _double_program(self) -> Program:
        """The model with inputs in float64, for data that float32 does not hold."""
        return self._laid_out(double=True)

    def _laid_out(self, *, double: bool) -> Program:
        from hwflow.simulate.torch.program import Program
        from hwflow.simulate.torch.settings import full_precision

        model = golden_model(self.graph, layers=self._layers, double=double)
        with full_precision(self._threads):
            return Program(model, self.device)

    def run(self, inputs: Arrays) -> dict[str, Array]:
        """Return what ``GoldenEngine.run`` does, bit for bit.

        Args:
            inputs: real numbers by input name of the original model, batch first, in the original
                order of axes.

        Raises:
            CompileError: the data does not suit the inputs; HW573, the device's memory does not
                hold a batch.
        """
        import torch

        from hwflow.simulate.torch.settings import full_precision

        feeds, double = port_feeds(self.graph, inputs)
        program = self._double_program if double else self._program
        with full_precision(self._threads):
            try:
                found = program.run(feeds)
            except torch.OutOfMemoryError as error:
                raise CompileError([_too_large(self.device, str(error))]) from error
        return real_outputs(self.graph, found)


def _device(name: str) -> Any:
    """Return the ``torch.device`` of a name.

    Raises:
        CompileError: HW570, it is not there.
    """
    import torch

    kind, _, number = name.partition(":")
    count = {"cpu": 1, "cuda": torch.cuda.device_count()}.get(kind, 0)
    known = number.isascii() and number.isdigit() and kind != "cpu"
    if count and (not number or (known and int(number) < count)):
        return torch.device(name)
    found = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    there = ["cpu", *(f"cuda:{i} ({title})" for i, title in enumerate(found))]
    raise CompileError(
        [
            Diagnostic(
                code="HW570",
                title="the device is not there",
                where=f"--device {printable(name)}",
                found=f"torch {torch.__version__}, which sees {', '.join(there)}",
                supported="cpu, cuda, cuda:N",
                help="choose one that is there; for CUDA, install torch as https://pytorch.org "
                "says for your driver",
            )
        ]
    )


def _reduced_precision(device: Any) -> Diagnostic:
    return Diagnostic(
        code="HW571",
        title="the device does not compute exactly in float32",
        where=str(device),
        found="matrix products or convolutions of whole numbers below 2**24 are rounded",
        help="unset variables such as ONEDNN_DEFAULT_FPMATH_MODE, or use --engine golden",
    )


def _too_large(device: Any, found: str) -> Diagnostic:
    return Diagnostic(
        code="HW573",
        title="a batch does not fit the memory of the device",
        where=str(device),
        found=printable(found),
        help="give fewer samples at once, with --batch",
    )


def _missing() -> Diagnostic:
    return Diagnostic(
        code="HW035",
        title="packages that the torch engine needs are missing",
        where="--engine torch",
        found="torch",
        help=install_command("torch"),
    )
