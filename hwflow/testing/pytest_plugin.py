"""The pytest plugin: the fixture ``hwflow_verify``. Nothing heavy is imported until it is used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hwflow.project.verification import CheckedDesign

CACHE = pytest.StashKey[dict[str, "CheckedDesign"]]()


@pytest.fixture(scope="session")
def hwflow_verify(request: pytest.FixtureRequest) -> Callable[..., CheckedDesign]:
    """Return a function that verifies a model or a project once in a session.

    It takes what ``hwflow.project.verification.verify_path`` takes: the path, data, ``limits``,
    ``float_model`` and options of ``hwflow.compile``, and returns a ``CheckedDesign``. Asked again
    for files of the same content with the same settings, it gives the same object.
    """
    known = request.config.stash.setdefault(CACHE, {})

    def verify(path: str | Path, data: Any = None, **options: Any) -> CheckedDesign:
        __tracebackhide__ = True
        from hwflow.core.errors import HwflowError
        from hwflow.project.verification import verify_path

        key = _key([path, data, *(part for item in sorted(options.items()) for part in item)])
        if key is None or key not in known:
            try:
                found = verify_path(Path(path), data, **options)
            except HwflowError as error:
                message = str(error)
            else:
                return known.setdefault(key, found) if key is not None else found
            raise AssertionError(message)
        return known[key]

    return verify


def _key(parts: list[Any]) -> str | None:
    """Return what stands for arguments, or None where they cannot be told by their content."""
    total = hashlib.sha256()
    try:
        for part in parts:
            _add(total, part)
    except TypeError:
        return None
    return total.hexdigest()


def _add(total: Any, part: Any) -> None:
    """Add an argument's content to a digest.

    Raises:
        TypeError: it is not plain data.
    """
    total.update(f"{type(part).__name__}:".encode())
    if isinstance(part, Mapping):
        for key, value in part.items():
            _add(total, key)
            _add(total, value)
    elif isinstance(part, (list, tuple)):
        for value in part:
            _add(total, value)
    elif isinstance(part, (str, Path)):
        total.update(f"{part}\0".encode())
        for file in _files(part):
            total.update(f"{file}\0".encode() + file.read_bytes())
    elif hasattr(part, "tobytes"):
        total.update(f"{part.dtype}{part.shape}".encode() + part.tobytes())
    elif part is None or isinstance(part, (int, float)):
        total.update(f"{part!r}\0".encode())
    else:
        raise TypeError(type(part).__name__)


def _files(path: str | Path) -> list[Path]:
    """Return the file that a text names, or those in the folder; none where it names nothing."""
    try:
        return [f for f in (Path(path), *sorted(Path(path).rglob("*"))) if f.is_file()]
    except (OSError, ValueError):  # a text that cannot be a path
        return []
