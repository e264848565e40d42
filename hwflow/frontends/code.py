"""Python files that users name, ``FILE.py:FUNCTION``, whose code gives a model or data."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.data import INPUT_NAMES, LABEL_NAMES, MAX_BYTES
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.qonnx.model import printable

Array = npt.NDArray[Any]

FORM = re.compile(r"(?P<file>.+\.py):(?P<function>[^\W\d]\w*)")


def is_code(source: str) -> bool:
    """Return whether a source is ``FILE.py:FUNCTION``, which naming it asks to run."""
    return FORM.fullmatch(source) is not None


def file_of(source: str) -> str:
    """Return the file of ``FILE.py:FUNCTION``, and anything else as it is."""
    found = FORM.fullmatch(source)
    return source if found is None else found["file"]


def called(source: str) -> Any:
    """Run a Python file and return what its function gives, called without arguments.

    The folder of the file can be imported from, as that of a script can.

    Args:
        source: ``FILE.py:FUNCTION``.

    Raises:
        CompileError: HW367, there is no such file or function, or its code fails.
    """
    found = FORM.fullmatch(source)
    assert found is not None
    path, function = Path(found["file"]), found["function"]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise CompileError([failed(source, "no such file")])
    module = importlib.util.module_from_spec(spec)
    with _importable(path.resolve().parent):
        try:
            spec.loader.exec_module(module)
            if not callable(getattr(module, function, None)):
                raise CompileError([failed(source, f"no function {function!r}")])
            return getattr(module, function)()
        except CompileError:
            raise
        except (Exception, SystemExit) as error:
            said = printable(f"{type(error).__name__}: {error}".splitlines()[0])
            raise CompileError([failed(source, said)]) from error


def arrays_in(given: Any, source: str) -> dict[str, Array]:
    """Return samples as arrays, ``x`` (``x0``, ``x1`` ... of several inputs) and ``y``.

    Args:
        given: arrays by name, an array, a torch ``Dataset``, or an iterable of samples: ``x`` or
            ``(x, y)``, where ``x`` may be a tuple. A torch ``DataLoader`` gives batches of them.
        source: where it comes from.

    Raises:
        CompileError: HW367, it is something else, or no sample.
    """
    if isinstance(given, dict):
        return {str(name): np.asarray(array) for name, array in given.items()}
    if isinstance(given, np.ndarray):
        return {INPUT_NAMES[0]: given}
    if not hasattr(given, "__getitem__") and not isinstance(given, Iterable):
        raise CompileError([failed(source, f"it gives {type(given).__name__}")])
    batched = hasattr(given, "batch_size") and hasattr(given, "dataset")
    try:
        rows = [_fields(sample) for sample in _bounded(_samples(given), source)]
        columns = list(zip(*rows, strict=True))
        join = np.concatenate if batched else np.stack
        arrays = [join(column) for column in columns]
    except (ValueError, TypeError) as error:
        said = printable(f"samples of different forms: {error}".splitlines()[0])
        raise CompileError([failed(source, said)]) from error
    if not arrays:
        raise CompileError([failed(source, "no samples")])
    inputs = arrays[:-1] if len(arrays) > 1 else arrays
    names = [INPUT_NAMES[0]] if len(inputs) == 1 else [f"x{i}" for i in range(len(inputs))]
    return dict(zip([*names, LABEL_NAMES[0]], arrays, strict=False))


def failed(source: str, found: str) -> Diagnostic:
    """Return the finding about code that gives nothing to train with."""
    return Diagnostic(
        code="HW367", title="code that gives no model or data", where=source, found=found,
        supported="FILE.py:FUNCTION, called without arguments: a torch module or what hwflow "
        "reads; arrays by name, a torch Dataset or an iterable of (x, y)",
    )  # fmt: skip


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _samples(given: Any) -> Iterator[Any]:
    if hasattr(given, "__len__") and hasattr(given, "__getitem__"):
        return (given[i] for i in range(len(given)))
    return iter(given)


def _bounded(samples: Iterator[Any], source: str) -> Iterator[Any]:
    taken = 0
    for sample in samples:
        taken += sum(part.nbytes for part in _fields(sample))
        if taken > MAX_BYTES:
            raise CompileError([failed(source, f"more than {MAX_BYTES >> 30} GiB of samples")])
        yield sample


def _fields(sample: Any) -> list[Array]:
    """Return inputs and label of a sample, or the input alone."""
    if isinstance(sample, (tuple, list)):
        return [array for part in sample for array in _fields(part)]
    detached = sample.detach().cpu() if hasattr(sample, "detach") else sample
    return [np.asarray(detached)]
