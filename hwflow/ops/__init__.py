"""Operators, one a file; importing this package registers them all.

Operators of others are added for the time of a ``with`` block, so that what one compilation uses
is never there by accident in the next.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType

from hwflow.ir.op import Op

_added: ContextVar[Mapping[str, type[Op]] | None] = ContextVar("_added", default=None)


def operators_in(module: ModuleType) -> list[type[Op]]:
    """Return the operator classes that a module, or any module of a package, defines.

    Names with an underscore in front are for sharing code, and are no operators.
    """
    modules = [module]
    if hasattr(module, "__path__"):
        names = sorted(m.name for m in pkgutil.iter_modules(module.__path__))
        modules += [importlib.import_module(f"{module.__name__}.{name}") for name in names]
    return [
        cls
        for m in modules
        for cls in vars(m).values()
        if isinstance(cls, type) and issubclass(cls, Op) and cls.__module__ == m.__name__
        if not cls.__name__.startswith("_")
    ]


for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    for _cls in operators_in(importlib.import_module(f"{__name__}.{_module}")):
        Op.registry[_cls.__name__] = _cls


def is_built_in(cls: type[Op]) -> bool:
    """Return whether an operator is one of hwflow's own."""
    return Op.registry.get(cls.__name__) is cls


def operators() -> dict[str, type[Op]]:
    """Return all operators by name: hwflow's own, and those added."""
    return {**Op.registry, **(_added.get() or {})}


def by_onnx() -> dict[str, type[Op]]:
    """Return the operator class that claims each ONNX operator, by the names in ``Op.onnx``."""
    return {name: op for op in operators().values() for name in op.onnx}


@contextmanager
def added(classes: Iterable[type[Op]]) -> Iterator[None]:
    """Add operators for the time of a ``with`` block, in this thread or task."""
    new = {cls.__name__: cls for cls in classes}
    token = _added.set({**(_added.get() or {}), **new})
    try:
        yield
    finally:
        _added.reset(token)
