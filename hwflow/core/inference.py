"""Sessions of ONNX Runtime, all of them on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

SILENT = 4
"""Log level "fatal" (ONNX Runtime, ``SessionOptions``): errors come as exceptions alone."""


def open_session(
    model: bytes, *, optimised: bool = True, threads: int = 0
) -> onnxruntime.InferenceSession:
    """Return a session that runs a model.

    Args:
        model: a serialised ``onnx.ModelProto``.
        optimised: whether ONNX Runtime applies its default graph optimisations, which may reorder
            float arithmetic (ONNX Runtime documentation, "Graph Optimizations").
        threads: number of threads that compute one operator; 0 for one per core.

    Raises:
        Exception: ONNX Runtime refuses the model; its exceptions share no public base class.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.log_severity_level = SILENT
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
