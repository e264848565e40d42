"""How a block is to be, as whoever packages it wishes."""

from __future__ import annotations

from dataclasses import dataclass

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.package.description import Edge, Interface


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How a block is to be.

    Attributes:
        interface: how frames come and go.
        data_width: bits of a word; None for what suits the network and the board.
        edge: what the lanes hold.
        argmax: outputs give the number of the first greatest score in the place of scores.
        kernel: make a Vitis kernel.
        reloadable: layers whose weights can be written while the block runs, or ``all``.
    """

    interface: Interface = "axis"
    data_width: int | None = None
    edge: Edge = "raw"
    argmax: bool = False
    kernel: bool = False
    reloadable: tuple[str, ...] = ()


def check_wishes(wishes: Wishes) -> None:
    """Refuse wishes that do not go together.

    Raises:
        CompileError: HW578, HW582.
    """
    if wishes.kernel and wishes.interface != "memory":
        raise CompileError(
            [
                Diagnostic(
                    code="HW578",
                    title="a Vitis kernel takes its frames from memory",
                    where="--target vitis-kernel",
                    found=f"--interface {wishes.interface}",
                    supported="memory",
                    help="--interface memory",
                )
            ]
        )
    if wishes.kernel and wishes.reloadable:
        raise CompileError(
            [
                Diagnostic(
                    code="HW582",
                    title="weights of a Vitis kernel cannot be written while it runs",
                    where="--target vitis-kernel",
                    found="--reloadable; a kernel's registers can only be written, and its host "
                    "would not know when the weights are whole",
                    supported="--target ip",
                    help="--target ip, or leave out --reloadable",
                )
            ]
        )
