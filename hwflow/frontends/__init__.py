"""Everything that becomes a QONNX model: files, ONNX models in memory, live modules."""

from hwflow.frontends.doors import load

__all__ = ["load"]
