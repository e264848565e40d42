"""Runs the golden model with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.golden.model import golden_model
from hwflow.ir.graph import Graph
from hwflow.simulate import port_inputs

Arrays = Mapping[str, npt.NDArray[Any]]


class GoldenEngine:
    """The golden model of a graph in a session of ONNX Runtime, with its default optimisations."""

    def __init__(
        self, graph: Graph, *, layers: Collection[str] = (), double: bool = False, threads: int = 0
    ) -> None:
        """Build the model and open the session.

        Args:
            graph: the hardware graph.
            layers: as for ``golden_model``.
            double: as for ``golden_model``.
            threads: of ONNX Runtime; 0 for one per core.

        Raises:
            CompileError: HW565, a layer has no golden function.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.graph = graph
        self.session = onnxruntime.InferenceSession(
            golden_model(graph, layers=layers, double=double).SerializeToString(),
            options, providers=["CPUExecutionProvider"],
        )  # fmt: skip
        self._dtype = np.float64 if double else np.float32
        self._names = [output.name for output in self.session.get_outputs()]

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs for a batch.

        Args:
            inputs: real numbers by input name of the original model, batch first, in the original
                order of axes. Of ports that the host quantises for, their levels are computed.

        Raises:
            CompileError: the data does not suit the inputs.
        """
        ports = port_inputs(self.graph, inputs)
        feeds = {name: array.astype(self._dtype) for name, array in ports.items()}
        return dict(zip(self._names, self.session.run(self._names, feeds), strict=True))
