"""Operators, one a file; importing this package registers them all.

Operators of others are added for the time of a ``with`` block, so that what one compilation uses
is never there by accident in the next.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType

import onnx_ir

from hwflow.ir.op import Op
from hwflow.ir.qonnx.model import QUANTIZERS, is_quantizer, operator_name

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


_CLAIMS = {
    **{name: op for op in Op.registry.values() for name in op.onnx},
    "DepthToSpace": Op.registry["Transpose"],
    "Identity": Op.registry["Reshape"],
    "SpaceToDepth": Op.registry["Transpose"],
    "Split": Op.registry["Slice"],
}
"""Operator whose facts hold, by ONNX operator: what claims it, or is most like what it becomes."""


def is_built_in(cls: type[Op]) -> bool:
    """Return whether an operator is one of hwflow's own."""
    return Op.registry.get(cls.__name__) is cls


def operators() -> dict[str, type[Op]]:
    """Return all operators by name: hwflow's own, and those added."""
    return {**Op.registry, **(_added.get() or {})}


def by_onnx() -> dict[str, type[Op]]:
    """Return the operator class that claims each ONNX operator, by the names in ``Op.onnx``."""
    return {name: op for op in operators().values() for name in op.onnx}


def facts_of(node: onnx_ir.Node) -> type[Op]:
    """Return the operator whose facts hold for an ONNX node.

    It is the one that claims the node, or that the node is rewritten to; ``Op``, of which no fact
    holds, for a quantiser and for a node that no operator knows.
    """
    name = operator_name(node)
    if is_quantizer(node):
        return Op
    for cls in (_added.get() or {}).values():
        if name in cls.onnx:
            return cls
    return _CLAIMS.get(name, Op)


def names_where(holds: Callable[[type[Op]], bool]) -> list[str]:
    """Return the ONNX operators without a domain of their own of which a fact holds, in order."""
    names = (n for n, cls in _CLAIMS.items() if holds(cls) and "::" not in n)
    return sorted(n for n in names if n not in QUANTIZERS)


@contextmanager
def added(classes: Iterable[type[Op]]) -> Iterator[None]:
    """Add operators for the time of a ``with`` block, in this thread or task."""
    new = {cls.__name__: cls for cls in classes}
    token = _added.set({**(_added.get() or {}), **new})
    try:
        yield
    finally:
        _added.reset(token)
