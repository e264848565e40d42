"""What ``ip.json`` says of a block, as the driver needs it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORM = "hwflow-ip/1"
"""The form of ``ip.json`` that this driver knows."""

MOST_BYTES = 1 << 26
"""Largest ``ip.json`` that is read."""


@dataclass(frozen=True)
class Port:
    """An input or output.

    Attributes:
        name: name of the port of the block.
        model_name: name in the trained model.
        direction: ``input`` or ``output``.
        said: all that ``ip.json`` says of it.
    """

    name: str
    model_name: str
    direction: str
    said: dict[str, Any]

    @property
    def stride_bytes(self) -> int:
        """Bytes from one frame to the next."""
        return int(self.said["packing"]["stride_bytes"])

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame that hold elements."""
        return int(self.said["packing"]["frame_bytes"])

    @property
    def elements(self) -> int:
        """Elements of a frame."""
        return int(self.said["elements"])


@dataclass(frozen=True)
class Description:
    """A packaged block.

    Attributes:
        top: name of the block.
        interface: ``axis``, ``axi-lite`` or ``memory``.
        design_id: what the register ``design`` holds.
        ports: inputs, then outputs.
        registers: what ``ip.json`` says of the registers.
        reload: what it says of weights that can be written; None where all are constants.
    """

    top: str
    interface: str
    design_id: int
    ports: tuple[Port, ...]
    registers: tuple[dict[str, Any], ...]
    reload: dict[str, Any] | None = None

    @classmethod
    def read(cls, path: str | Path) -> Description:
        """Read ``ip.json``, or the one in a folder.

        Raises:
            OSError: it cannot be read.
            ValueError: it is none, or one of another version.
        """
        file = Path(path)
        file = file / "ip.json" if file.is_dir() else file
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"{file} is no description of a block")
        said = json.loads(file.read_text("utf-8"))
        if not isinstance(said, dict) or said.get("form") != FORM:
            raise ValueError(f"{file} is not of the form {FORM}; package the block again")
        ports = [Port(p["name"], p["model_name"], p["direction"], p) for p in said["ports"]]
        return cls(
            said["top"], said["interface"], said["design_id"], tuple(ports),
            tuple(said["registers"]), said.get("reload"),
        )  # fmt: skip

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The ports that frames come in by."""
        return tuple(p for p in self.ports if p.direction == "input")

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The ports that results leave by."""
        return tuple(p for p in self.ports if p.direction == "output")

    def register(self, meaning: str, port: str = "") -> int:
        """Return the address of a register.

        Args:
            meaning: begin of its name, or the end where it is about a port.
            port: the port that it is about.

        Raises:
            KeyError: there is none.
        """
        wanted = f"{port}_{meaning}" if port else meaning
        for register in self.registers:
            if register["port"] == port and register["name"].rstrip("_0123456789") == wanted:
                return int(register["address"])
        raise KeyError(f"{self.top} has no register {wanted}")

    def pointer(self, port: str) -> int:
        """Return the address of the register that holds the address of a port's frames."""
        return next(int(r["address"]) for r in self.registers if r["name"] == port)
