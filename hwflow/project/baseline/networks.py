"""The networks that are timed: in float32, and in 8-bit integers for ONNX Runtime."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from hwflow.core.inference import SILENT
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.functions import add_quantizer_functions
from hwflow.ir.qonnx.model import QonnxModel, printable
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.simulate.float32.batch import free_batch, keeps_batches
from hwflow.verify.references.unquantized import NoFloatReferenceError, remove_quantizers

Feeds = Mapping[str, npt.NDArray[Any]]

WARNINGS = 2
"""Log level that ONNX Runtime starts with (``OrtLoggingLevel``)."""

CALIBRATION = 128
"""Samples that ranges of 8-bit activations are taken from."""


@dataclass(frozen=True, eq=False)
class Network:
    """A network that can be timed.

    Attributes:
        name: ``float32`` or ``int8``.
        what: what it is, in words.
        proto: the model.
        batched: whether it takes any batch.
    """

    name: str
    what: str
    proto: onnx.ModelProto
    batched: bool


class NoInt8NetworkError(Exception):
    """Why ONNX Runtime makes no 8-bit network of this one."""


def float32_network(model: QonnxModel) -> Network:
    """Return a model without its quantisers; with them where it means nothing without.

    Args:
        model: a model as it was read; it is not changed.
    """
    plain = clone(clean_model(model))
    try:
        what = remove_quantizers(plain)
    except NoFloatReferenceError as reason:
        plain = clone(clean_model(model))
        what = f"the model with its quantisers computed in float32, since {reason}"
    known = infer_shapes(clean_model(plain))  # scales that nothing reads any more go
    batched = keeps_batches(known.ir.graph)
    proto = ir.to_proto(known.ir)
    add_quantizer_functions(proto)
    if batched:
        free_batch(proto)
    return Network("float32", what, proto, batched)


def int8_network(network: Network, samples: Feeds) -> Network:
    """Return a network in 8-bit integers, by ONNX Runtime's static quantisation (QDQ).

    Weights are signed and by channel, activations unsigned and by tensor, ranges the least and
    greatest values on the samples.

    Args:
        network: the network in float32.
        samples: for each input, batch first.

    Raises:
        NoInt8NetworkError: ONNX Runtime does not quantise it.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder, _quiet():
        given, path = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        given.write_bytes(network.proto.SerializeToString())
        try:
            quantize_static(
                str(given),
                str(path),
                _Reader(network, samples),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
            proto = onnx.load(str(path))
        except Exception as error:  # it raises whatever its parts do
            raise NoInt8NetworkError(printable(str(error).split("\n")[0])) from error
    quantizers = sum(node.op_type == "QuantizeLinear" for node in proto.graph.node)
    if not quantizers:
        raise NoInt8NetworkError("it finds nothing to quantise")
    what = f"static quantisation of ONNX Runtime, QDQ, ranges of {len(_first(samples))} samples"
    return Network("int8", what, proto, network.batched)


class _Reader:
    """Gives samples to ONNX Runtime's calibration, one after the other."""

    def __init__(self, network: Network, samples: Feeds) -> None:
        names = [value.name for value in network.proto.graph.input]
        count = min(CALIBRATION, len(_first(samples)))
        self._feeds: Iterator[dict[str, npt.NDArray[Any]]] = (
            {name: np.ascontiguousarray(samples[name][i : i + 1]) for name in names}
            for i in range(count)
        )

    def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
        """Return the next sample, or None."""
        return next(self._feeds, None)

    def __len__(self) -> int:
        return CALIBRATION


def _first(samples: Feeds) -> npt.NDArray[Any]:
    return next(iter(samples.values()))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep ONNX Runtime's advice on preparing models off the screen."""
    import onnxruntime

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(SILENT)
    try:
        yield
    finally:
        logging.disable(before)
        onnxruntime.set_default_logger_severity(WARNINGS)
