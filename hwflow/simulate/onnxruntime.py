"""Runs the golden model with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hwflow.codegen.golden.model import golden_model
from hwflow.core.inference import open_session
from hwflow.fixed import FixedArray
from hwflow.ir.graph import Graph, Port
from hwflow.ops.shared.port_data import at_port, channels_last, checked_inputs, real_values

if TYPE_CHECKING:
    import onnxruntime

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]

FLOAT32_HOLDS = frozenset({"float32", "float16", "bool", "int8", "uint8", "int16", "uint16"})
"""Types of data whose every value is a float32."""


class GoldenEngine:
    """The golden model of a graph in a session of ONNX Runtime, with its default optimisations."""

    def __init__(self, graph: Graph, *, layers: Collection[str] = (), threads: int = 0) -> None:
        """Build the model and open the session.

        Args:
            graph: the hardware graph.
            layers: see ``golden_model``.
            threads: threads of ONNX Runtime; 0 for one per core.

        Raises:
            CompileError: HW565, a layer has no golden function.
        """
        self.graph = graph
        self._layers, self._threads = layers, threads
        self.session = self._opened(double=False)

    @cached_property
    def _double_session(self) -> onnxruntime.InferenceSession:
        """The model with inputs in float64, for data that float32 does not hold."""
        return self._opened(double=True)

    def _opened(self, *, double: bool) -> onnxruntime.InferenceSession:
        model = golden_model(self.graph, layers=self._layers, double=double)
        return open_session(model.SerializeToString(), threads=self._threads)

    def run(self, inputs: Arrays) -> dict[str, Array]:
        """Return what the simulation does for a batch, and mantissas of the layers asked for.

        Args:
            inputs: real numbers by input name of the original model, batch first, in the original
                order of axes.

        Returns:
            Outputs in float64 as in ``Simulation``, and ``layer/NAME`` of the layers, channels
            last.

        Raises:
            CompileError: the data does not suit the inputs.
        """
        feeds, double = port_feeds(self.graph, inputs)
        session = self._double_session if double else self.session
        names = [output.name for output in session.get_outputs()]
        return real_outputs(self.graph, dict(zip(names, session.run(names, feeds), strict=True)))


def port_feeds(graph: Graph, inputs: Arrays) -> tuple[dict[str, Array], bool]:
    """Return what enters the golden model by input name, and whether in float64.

    Args:
        graph: the hardware graph.
        inputs: see ``GoldenEngine.run``.

    Raises:
        CompileError: the data does not suit the inputs.
    """
    given = checked_inputs(graph, inputs)
    feeds = {port.name: at_port(graph, port, given[port.name]) for port in graph.inputs}
    narrow = {name: _as_float32(array) for name, array in feeds.items()}
    exact = {name: array for name, array in narrow.items() if array is not None}
    if len(exact) == len(feeds):
        return exact, False
    return {name: array.astype(np.float64) for name, array in feeds.items()}, True


def real_outputs(graph: Graph, found: dict[str, Array]) -> dict[str, Array]:
    """Return what leaves the golden model with the real numbers of every port, in float64."""
    ports = {port.name: _real(graph, port, found[port.name]) for port in graph.outputs}
    return found | ports


def _real(graph: Graph, port: Port, found: Array) -> Array:
    if port.grid.plain:
        return found.astype(np.float64)
    raw = channels_last(found, port).astype(np.int64)
    return real_values(FixedArray(raw, graph.types[port.value].dtype), port)


def _as_float32(array: Array) -> Array | None:
    """Return the same numbers in float32, or None where it does not hold them."""
    if array.dtype.name in FLOAT32_HOLDS:
        return array.astype(np.float32, copy=False)
    with np.errstate(over="ignore"):
        narrow = array.astype(np.float32)
    return narrow if np.array_equal(narrow, array) else None
