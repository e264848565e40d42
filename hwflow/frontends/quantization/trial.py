"""What ``build`` would refuse, found on a rough quantisation before the work, and on the result."""

from __future__ import annotations

from hwflow.core.config import Config
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.op import Target
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.passes import Context, run_pipeline


def refusals(model: QonnxModel) -> tuple[Diagnostic, ...]:
    """Return the findings that keep a model from being built, or none.

    A model that only one ``io_type`` takes can be built.

    Args:
        model: quantised; it is not changed.
    """
    found: tuple[Diagnostic, ...] = ()
    for io_type in ("io_parallel", "io_stream"):
        context = Context(config=Config(), target=Target(io_type=io_type), source=model.source)
        try:
            run_pipeline(clone(model), context)
        except CompileError as error:
            found = found or error.diagnostics
        else:
            return ()
    return found
