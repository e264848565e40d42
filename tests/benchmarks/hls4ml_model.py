"""A network in hls4ml's own hands: its front end, its writer, its compilation, its simulation."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from tests.benchmarks.timing import seconds


class Hls4mlModel:
    """What ``hls4ml.converters`` makes of a QONNX model.

    The model is prepared as hls4ml's documentation on QONNX says: cleaned, with the channels last,
    ``Gemm`` as ``MatMul``. Types are those that hls4ml infers; strategies its defaults.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        folder: Path,
        io_type: str,
        precision: str = "fixed<16,6>",
        **target: str,
    ) -> None:
        """Convert a model; the project is written to ``folder`` when it is compiled.

        Args:
            model: in QONNX form.
            folder: of the project.
            io_type: of the generated hardware.
            precision: of what hls4ml infers no type for.
            target: the ``backend``, Vitis where none is given, and what else it takes.
        """
        target = {"backend": "Vitis"} | target
        with quiet():
            import hls4ml
            from qonnx.core.modelwrapper import ModelWrapper  # type: ignore[import-untyped]
            from qonnx.transformation.channels_last import (  # type: ignore[import-untyped]
                ConvertToChannelsLastAndClean,
            )
            from qonnx.transformation.gemm_to_matmul import (  # type: ignore[import-untyped]
                GemmToMatMul,
            )
            from qonnx.util.cleanup import cleanup_model  # type: ignore[import-untyped]

            wrapper = cleanup_model(
                ModelWrapper(onnx.ModelProto.FromString(model.SerializeToString()))
            )
            for step in (ConvertToChannelsLastAndClean(), GemmToMatMul()):
                wrapper = wrapper.transform(step)
            wrapper = cleanup_model(wrapper)
            config = hls4ml.utils.config_from_onnx_model(
                wrapper, granularity="name", backend=target["backend"], default_precision=precision
            )
            self.graph: Any = hls4ml.converters.convert_from_onnx_model(
                wrapper, output_dir=str(folder), io_type=io_type, hls_config=config, **target
            )

    def write(self) -> float:
        """Write the project, as ``compile()`` does first, and return the seconds."""
        with quiet():
            return seconds(self.graph.write)

    def compile(self) -> float:
        """Compile the written project, as ``compile()`` does then, and return the seconds."""
        with quiet():
            return seconds(self.graph._compile)

    def predict(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the outputs of a batch, as a matrix."""
        given = np.ascontiguousarray(x, np.float32)
        return np.asarray(self.graph.predict(given), np.float64).reshape(len(x), -1)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep hls4ml's and its libraries' prints and warnings off the terminal."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
