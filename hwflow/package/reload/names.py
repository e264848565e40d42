"""What the templates of a block refer to where its weights can be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwflow.package.description import Description
from hwflow.package.registers import WINDOW
from hwflow.package.reload.form import WORD_BYTES, WeightArray
from hwflow.package.reload.layers import Writable
from hwflow.package.wrapper import RegisterCode, rendered

OWN_IMAGE = "vectors/weights.bin"
"""Image of the weights that a block begins with, by path in its folder."""


@dataclass(frozen=True)
class ArrayCode:
    """A writable array as the templates write it."""

    array: WeightArray
    backend: str

    def __getattr__(self, name: str) -> Any:
        """Return what the description says of the array."""
        if name in type(self.array).model_fields:
            return getattr(self.array, name)
        raise AttributeError(name)

    @property
    def in_lane(self) -> int:
        """Elements in a word; 0 where an element takes two."""
        return 8 * WORD_BYTES // self.array.lane_bits

    @property
    def pragma(self) -> str:
        """What HLS has to know of it: its layer reads all registers at once, words of a memory."""
        name = self.array.variable
        if self.array.storage == "registers":
            return f"#pragma HLS ARRAY_PARTITION variable={name} complete dim=0"
        if self.backend == "Vivado":
            return f"#pragma HLS RESOURCE variable={name} core=RAM_2P_BRAM"
        return f"#pragma HLS BIND_STORAGE variable={name} type=ram_2p impl=bram"


def reload_names(
    description: Description, names: Mapping[str, Any], writable: Writable | None
) -> dict[str, Any]:
    """Return what the templates refer to, beside or in the place of other names.

    Args:
        description: the block.
        names: what they refer to for all blocks.
        writable: the design with weights that can be written; None where all are constants.
    """
    network = ", ".join(p.local for p in names["ports"])
    reload = description.reload
    if writable is None or reload is None:
        return {"reload": None, "network_arguments": network}
    window = RegisterCode(WINDOW, f"{reload.window_address:#x}", None)
    return {
        "reload": reload,
        "arrays": [ArrayCode(array, description.target.backend) for array in reload.arrays],
        "variables": writable.variables,
        "load_arguments": "load_window, load_words, load_digest, load, loaded, weights",
        "network_arguments": ", ".join([network, *(v.name for v in writable.variables)]),
        "registers": [*names["registers"], window],
        "arguments": [*names["arguments"], f"const unsigned {WINDOW}[{reload.window_words}]"],
    }


def reload_files(names: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the C++ that writes a block's weights by path in its ``hls`` folder."""
    if names["reload"] is None:
        return {}
    return {f"{names['top']}_weights.h": rendered("reload/weights.h.j2", names)}
