"""Groups of options: a verb takes a dataclass, and the command line the fields of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter
from typing import Any, TypeGuard, get_type_hints


def with_groups(verb: Callable[..., None]) -> Callable[..., None]:
    """Return a verb whose parameters that are dataclasses stand for one option for each field.

    Args:
        verb: takes keywords; the fields of its groups are annotated as Typer wants options to be.
    """
    taken = inspect.signature(verb, eval_str=True).parameters
    kinds = {name: parameter.annotation for name, parameter in taken.items()}
    groups = {name: kind for name, kind in kinds.items() if _is_group(kind)}
    options = [option for p in taken.values() for option in _options(p)]

    @wraps(verb)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        verb(**given)

    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run


def _is_group(kind: Any) -> TypeGuard[type[Any]]:
    return isinstance(kind, type) and is_dataclass(kind)


def _options(parameter: Parameter) -> Iterator[Parameter]:
    """Yield the options that a parameter of a verb stands for, as parameters."""
    if not _is_group(parameter.annotation):
        yield parameter.replace(kind=Parameter.KEYWORD_ONLY)
        return
    annotations = get_type_hints(parameter.annotation, include_extras=True)
    for field in fields(parameter.annotation):
        yield Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=annotations[field.name],
        )
