"""hwflow: from quantisation-aware trained models to verified, estimated HLS projects.

``load`` reads a model, ``quantize`` makes one of a float model and ``explore`` finds its best bits,
which ``open_run`` opens again; ``ensemble`` merges several models, ``convert`` writes one as QONNX,
``fit`` chooses settings, ``compile`` makes a ``Design``; a design can ``simulate``, ``verify``,
``estimate``, ``write`` and ``report``; ``load_project`` opens one that was written, and
``weight_image`` makes weights of one for a block. ``LookupDense`` is a layer for torch. Heavy
libraries are imported when they are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwflow.compression.training.lookup_dense import LookupDense
    from hwflow.core.errors import CompileError, Diagnostic, HwflowError, ToolError
    from hwflow.exploration.api import explore, open_run
    from hwflow.fitting.fit import fit
    from hwflow.frontends import load
    from hwflow.frontends.conversion import convert
    from hwflow.frontends.ensemble import ensemble
    from hwflow.frontends.quantization import quantize
    from hwflow.package.reload.weights import weight_image
    from hwflow.project.compiler import compile  # noqa: A004 - the public name
    from hwflow.project.design import Design
    from hwflow.project.stored import load_project

__version__ = "0.1.0"

__all__ = [
    "CompileError",
    "Design",
    "Diagnostic",
    "HwflowError",
    "LookupDense",
    "ToolError",
    "compile",
    "convert",
    "ensemble",
    "explore",
    "fit",
    "load",
    "load_project",
    "open_run",
    "quantize",
    "weight_image",
]

_HOME = {
    "CompileError": "hwflow.core.errors",
    "Design": "hwflow.project.design",
    "Diagnostic": "hwflow.core.errors",
    "HwflowError": "hwflow.core.errors",
    "LookupDense": "hwflow.compression.training.lookup_dense",
    "ToolError": "hwflow.core.errors",
    "compile": "hwflow.project.compiler",
    "convert": "hwflow.frontends.conversion",
    "ensemble": "hwflow.frontends.ensemble",
    "explore": "hwflow.exploration.api",
    "fit": "hwflow.fitting.fit",
    "load": "hwflow.frontends",
    "load_project": "hwflow.project.stored",
    "open_run": "hwflow.exploration.api",
    "quantize": "hwflow.frontends.quantization",
    "weight_image": "hwflow.package.reload.weights",
}


def __dir__() -> list[str]:
    """Return the public names, of which none is imported by listing them."""
    return sorted([*__all__, "__version__"])


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'hwflow' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
