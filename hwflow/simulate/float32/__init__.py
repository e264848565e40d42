"""Runs a QONNX model in float32 in stock ONNX Runtime: what the hardware is compared with.

Quantisers become functions in standard operators inside the model. Graph optimisation is off, since
it reorders float arithmetic (ONNX Runtime documentation, "Graph Optimizations").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.inference import open_session
from hwflow.ir.qonnx.functions import add_quantizer_functions
from hwflow.ir.qonnx.model import QonnxModel, printable
from hwflow.simulate.float32.batch import fix_batch, free_batch, keeps_batches

if TYPE_CHECKING:
    import onnxruntime

Array = npt.NDArray[Any]

_CHUNK = 256
"""Samples in one run: bounds the memory for intermediate values."""


class Reference:
    """A QONNX model that runs in ONNX Runtime, one session per set of values asked for."""

    def __init__(self, model: QonnxModel) -> None:
        """Prepare a model.

        Args:
            model: a model at the QONNX level, which is not changed. After ``infer_shapes`` batches
                are run at once where that provably gives the same, before it one sample at a time.
        """
        self._source = model.source
        self._proto = ir.to_proto(model.ir)
        self._shapes = {
            value.name or "": tuple(int(d) for d in value.shape.numpy()[1:])
            for value in model.ir.graph.inputs
            if value.shape is not None
        }
        self.batched = keeps_batches(model.ir.graph)
        add_quantizer_functions(self._proto)
        self._fixed: list[tuple[onnx.NodeProto, onnx.NodeProto]] = []
        if self.batched:
            self._fixed = free_batch(self._proto)
        self._sessions: dict[tuple[str, ...], onnxruntime.InferenceSession] = {}

    def run(self, data: Mapping[str, Array], values: Sequence[str] = ()) -> dict[str, Array]:
        """Return graph outputs and other values for each sample.

        Args:
            data: for each graph input, its samples, batch axis first, ONNX order of axes.
            values: names of ONNX values to return as well.

        Returns:
            float32 (or what the graph computes), batch axis first, by value name.

        Raises:
            CompileError: HW401 or HW403, the data does not fit the inputs; HW033, ONNX Runtime
                refuses the model.
            KeyError: a value that no node computes is asked for.
        """
        feeds = self._feeds(data)
        wanted = tuple(dict.fromkeys(values))
        if self.batched:
            try:
                return self._run(feeds, wanted)
            except KeyError:
                raise
            except Exception:  # it takes no batch, or not the model: the latter comes again
                self.batched, self._sessions = False, {}
                fix_batch(self._proto, self._fixed)
        return self._run(feeds, wanted)

    def _run(self, feeds: Mapping[str, Array], values: tuple[str, ...]) -> dict[str, Array]:
        """Run all samples, in batches or one by one."""
        session = self._session(values)
        names = [output.name for output in session.get_outputs()]
        size = len(next(iter(feeds.values())))
        step = _CHUNK if self.batched else 1
        parts: list[list[Array]] = []
        for start in range(0, size, step):
            chunk = {name: array[start : start + step] for name, array in feeds.items()}
            samples = min(step, size - start)
            parts.append([_per_sample(array, samples) for array in session.run(names, chunk)])
        return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)}

    def _feeds(self, data: Mapping[str, Array]) -> dict[str, Array]:
        """Return the data in the element types of the inputs, shapes checked."""
        findings = list(self._misfits(data))
        if findings:
            raise CompileError(findings)
        types = {i.name: i.type.tensor_type.elem_type for i in self._proto.graph.input}
        return {
            name: np.ascontiguousarray(
                data[name], onnx.helper.tensor_dtype_to_np_dtype(types[name])
            )
            for name in self._shapes
        }

    def _misfits(self, data: Mapping[str, Array]) -> Iterator[Diagnostic]:
        """Yield what is wrong with the data."""
        where = f"in {self._source}"
        if set(data) != set(self._shapes):
            yield Diagnostic(
                code="HW401",
                title="the data does not name the inputs of the model",
                where=where,
                found=", ".join(map(printable, sorted(data))) or "nothing",
                supported=", ".join(map(printable, self._shapes)),
            )
            return
        sizes = {len(array) if np.ndim(array) else 0 for array in data.values()}
        for name, shape in self._shapes.items():
            found = np.shape(data[name])
            if found[1:] != shape or len(sizes) != 1 or not all(sizes):
                yield Diagnostic(
                    code="HW403",
                    title="the shape of the data does not fit the model",
                    where=f"graph input {printable(name)!r}, {where}",
                    found=str(found),
                    supported=f"(samples, {', '.join(map(str, shape))}), samples >= 1",
                )

    def _session(self, values: tuple[str, ...]) -> onnxruntime.InferenceSession:
        """Return the session that gives the outputs and ``values``."""
        if values not in self._sessions:
            self._sessions[values] = _start(self._proto, values, self._source)
        return self._sessions[values]


def _per_sample(array: Array, samples: int) -> Array:
    """Return a result with its batch axis; one that depends on no input is the same for all."""
    if array.shape[:1] == (samples,):
        return array
    return np.broadcast_to(array, (samples, *array.shape))


def _start(
    proto: onnx.ModelProto, values: tuple[str, ...], source: str
) -> onnxruntime.InferenceSession:
    """Start ONNX Runtime with more outputs than the model has."""
    own = len(proto.graph.output)
    known = {output.name for output in proto.graph.output}
    computed = {name for node in proto.graph.node for name in node.output}
    for name in values:
        if name not in computed | known:
            raise KeyError(name)
        if name not in known:
            proto.graph.output.add(name=name)
    try:
        return open_session(proto.SerializeToString(), optimised=False)
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        finding = Diagnostic(
            code="HW033",
            title="ONNX Runtime cannot run the model",
            where=f"in {source}",
            found=printable(str(error)),
        )
        raise CompileError([finding]) from error
    finally:
        del proto.graph.output[own:]
