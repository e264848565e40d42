"""Where a stream of samples comes from: arrays, data files, folders of them, Python iterables.

Every source gives its samples in order, as many at once as it is asked for, and holds no more than
that of them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hwflow.core.data import Data, assigned, bad_labels, read_arrays
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.graph import Graph
from hwflow.simulate.samples import made_data
from hwflow.simulate.stream.files import FileSource, FolderSource
from hwflow.simulate.stream.forms import Form, check_forms, check_same
from hwflow.simulate.stream.parts import joined, length, rows, shaped


class Source(Protocol):
    """Samples, one batch after the other.

    Attributes:
        name: how findings and reports call it.
        samples: how many there are; None where that shows at the end.
        labelled: whether samples have labels; None where that shows later.
    """

    name: str
    samples: int | None
    labelled: bool | None

    def read(self, count: int) -> Data | None:
        """Return the next samples: fewer than asked for only at the end; None behind it.

        Raises:
            CompileError: the data cannot be read or does not suit the model.
        """

    def locate(self, sample: int) -> str:
        """Return how to find a sample, counted from 0."""

    def close(self) -> None:
        """Close what is open."""


class ArraysSource:
    """Arrays in memory."""

    def __init__(self, data: Data, graph: Graph) -> None:
        """Take arrays by input name.

        Raises:
            CompileError: they do not suit the model.
        """
        self.name = data.source
        forms = {name: Form.of(array) for name, array in data.inputs.items()}
        self.samples: int | None = check_forms(graph, forms)
        self.labelled: bool | None = data.labels is not None
        self._data = shaped(data, graph)
        self._done = 0

    def read(self, count: int) -> Data | None:
        """Return the next samples."""
        found = rows(self._data, slice(self._done, self._done + count))
        self._done += count
        return found if length(found) else None

    def locate(self, sample: int) -> str:
        """Return how to find a sample."""
        return f"{self.name}, sample {sample}"

    def close(self) -> None:
        """Do nothing: the arrays are somebody else's."""


class IterableSource:
    """Arrays, or arrays by name, as an iterable gives them: any number of samples at a time."""

    def __init__(self, items: Iterable[Any], graph: Graph) -> None:
        """Take an iterable; it is asked for no more than is needed."""
        self.name = "the iterable"
        self.samples: int | None = None
        self.labelled: bool | None = None
        self._graph = graph
        self._names = [port.name for port in graph.inputs]
        self._items = iter(items)
        self._count = 0
        self._rest: Data | None = None

    def read(self, count: int) -> Data | None:
        """Return the next samples, of as many items as that takes."""
        parts: list[Data] = []
        while (missing := count - sum(map(length, parts))) > 0:
            part = self._next() if self._rest is None else self._rest
            if part is None:
                break
            parts.append(rows(part, slice(missing)))
            rest = rows(part, slice(missing, None))
            self._rest = rest if length(rest) else None
        return joined(parts, self.name)

    def _next(self) -> Data | None:
        """Return the samples of the next item; None where there is none."""
        for item in self._items:
            where = f"item {self._count}"
            self._count += 1
            found = self._samples(item, where)
            labelled = found.labels is not None
            if self.labelled not in (None, labelled):
                text = "labels, and none before" if labelled else "no labels, and some before"
                raise CompileError([bad_labels(where, text)])
            self.labelled = labelled
            return found
        return None

    def _samples(self, item: Any, where: str) -> Data:
        if not isinstance(item, Mapping) and not hasattr(item, "__array__"):
            raise CompileError([_no_array(where, item)])
        given = item if isinstance(item, Mapping) else np.asarray(item)
        arrays = {str(name): np.asarray(array) for name, array in read_arrays(given)[0].items()}
        forms = {name: Form.of(array) for name, array in arrays.items()}
        check_same(self._graph, self._names, forms, where)
        return shaped(assigned(arrays, self._names, where), self._graph)

    def locate(self, sample: int) -> str:
        """Return how to find a sample."""
        return f"{self.name}, sample {sample}"

    def close(self) -> None:
        """Let a generator clean up."""
        if isinstance(self._items, Generator):
            self._items.close()


def open_source(given: Any, graph: Graph) -> Source:
    """Return the source of a stream, whatever it was given as.

    Args:
        given: what ``as_data`` takes; or a folder of data files; or an iterable of arrays, or of
            arrays by name, batch first, of any number of samples each. Files are read as they are
            needed, whatever their size.
        graph: the hardware graph that the samples are for.

    Raises:
        CompileError: the data cannot be read or does not suit the model.
    """
    if isinstance(given, (str, Path)):
        path = Path(given)
        return FolderSource(path, graph) if path.is_dir() else FileSource(path, graph)
    if given is None:
        return ArraysSource(made_data(graph), graph)
    if isinstance(given, Data):
        return ArraysSource(given, graph)
    if isinstance(given, Mapping) or hasattr(given, "__array__"):
        arrays, source = read_arrays(given if isinstance(given, Mapping) else np.asarray(given))
        names = [port.name for port in graph.inputs]
        return ArraysSource(assigned(arrays, names, source), graph)
    if isinstance(given, Iterable):
        return IterableSource(given, graph)
    raise CompileError([_no_array("the data", given)])


def _no_array(where: str, item: Any) -> Diagnostic:
    return Diagnostic(
        code="HW402",
        title="data is not numeric",
        where=where,
        found=f"an object of type {type(item).__name__}",
        supported="arrays, or dicts of arrays by input name, batch first",
    )
