"""Proposals for the inputs of a model, from data in any form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.data import Data, read_data
from hwflow.core.errors import Diagnostic
from hwflow.core.toml_text import toml_text
from hwflow.fixed import FixedType
from hwflow.ir.qonnx.model import printable
from hwflow.simulate.ports.proposal import Proposal, propose
from hwflow.simulate.stream.files import data_files


class Proposals:
    """Types for the inputs of a model, from data that is read when one is asked for."""

    def __init__(self, given: Any, names: Sequence[str]) -> None:
        """Take data without reading it.

        Args:
            given: what ``Design.simulate`` or ``Design.stream`` take; iterables are not read.
            names: names of the inputs.
        """
        self._given = given
        self._names = names

    @cached_property
    def by_input(self) -> dict[str, Proposal]:
        """The proposals, by input.

        Raises:
            CompileError: HW400 and others, the data cannot be read.
        """
        if not isinstance(self._given, (str, Path, Data, Mapping, np.ndarray)):
            return {}  # nothing, or an iterable, of which no sample may be lost
        found = {name: propose(_parts(self._given, name, self._names)) for name in self._names}
        return {name: proposal for name, proposal in found.items() if proposal is not None}

    def types(self) -> dict[str, FixedType]:
        """Return the types, by input."""
        return {name: proposal.dtype for name, proposal in self.by_input.items()}


def _parts(given: Any, name: str, names: Sequence[str]) -> Iterator[npt.NDArray[Any]]:
    """Yield the arrays of an input, one file of a folder at a time."""
    if isinstance(given, (str, Path)) and Path(given).is_dir():
        for path in data_files(Path(given)):
            yield from _parts(path, name, names)
        return
    if isinstance(given, (str, Path)) and Path(given).suffix == ".npy":
        given = _mapped(Path(given), names)
    array = read_data(given, names).inputs.get(name)
    if array is not None:
        yield np.asarray(array)


def _mapped(path: Path, names: Sequence[str]) -> Data | Path:
    """Return the array of a large file without reading it, where the file is sound."""
    try:
        return Data({names[0]: np.load(path, mmap_mode="r")}, None, path.name)
    except (OSError, ValueError, EOFError):
        return path  # whoever reads it says what is wrong


def taken_from_data(name: str, proposal: Proposal, source: str) -> Diagnostic:
    """Return the note about a port whose type was taken from data.

    Args:
        name: name of the input.
        proposal: the type.
        source: how messages call the model.
    """
    where = f"input {printable(name)!r}, in {source}"
    setting = toml_text({"input": {name: {"type": str(proposal.dtype)}}}).strip().replace("\n", " ")
    if proposal.exact:
        return Diagnostic(
            code="HW236",
            severity="note",
            title="type of an input taken from the data",
            where=where,
            found=f"{proposal}: {proposal.dtype} holds every one",
            help=f"to fix it, set {setting} in hwflow.toml",
        )
    return Diagnostic(
        code="HW237",
        severity="warning",
        title="type of an input that rounds the data",
        where=where,
        found=f"{proposal}, not on a grid of {proposal.dtype.width} bits: {proposal.dtype}",
        help="put a quantiser (Brevitas: QuantIdentity) at the model's input; or accept the type: "
        f"set {setting} in hwflow.toml",
    )
