"""Operators, one a file; importing this package registers them all."""

from __future__ import annotations

import importlib
import pkgutil

from hwflow.ir.op import Op

for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")


def by_onnx() -> dict[str, type[Op]]:
    """Return the operator class that claims each ONNX operator name."""
    return {name: op for op in Op.registry.values() for name in op.onnx}
