"""Streams of samples from data files and folders of them, of any size."""

from __future__ import annotations

import re
import zipfile
from bisect import bisect_right
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from typing import IO

from hwflow.core.data import Data, assigned, bad_labels, unreadable
from hwflow.core.errors import CompileError
from hwflow.ir.graph import Graph
from hwflow.ir.qonnx.model import printable
from hwflow.simulate.stream.forms import Form, check_same
from hwflow.simulate.stream.npy import Header, Rows, ScatteredRows, read_header, readable, spooled
from hwflow.simulate.stream.parts import joined, length, shaped

SINGLE = "x"
"""Name that the array of a .npy file is given."""

ZIP_MAGIC = b"PK"
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compression methods of members that numpy writes; others can blow up to any size at once."""

MOST_FILES = 100_000
"""Most files of a folder."""


class FileSource:
    """A .npy or .npz file, read as it goes."""

    def __init__(self, path: Path, graph: Graph) -> None:
        """Open a file and look at what it says of its arrays.

        Raises:
            CompileError: it cannot be read, or its arrays do not suit the model.
        """
        self.name = printable(path.name)
        self._graph = graph
        self._names = [port.name for port in graph.inputs]
        self._open = ExitStack()
        self._rows: dict[str, Rows | ScatteredRows] = {}
        self.samples: int | None
        try:
            self._file, self._archive = self._opened(path)
            headers = self._headers()
            forms = {name: Form(header.shape, header.dtype) for name, header in headers.items()}
            self.samples, used = check_same(graph, self._names, forms, self.name)
        except BaseException:
            self._open.close()
            raise
        self.labelled: bool | None = used.labels is not None
        kept = {*used.inputs.values(), *([used.labels] if used.labels else [])}
        self._used = {name: header for name, header in headers.items() if name in kept}

    def _opened(self, path: Path) -> tuple[IO[bytes], zipfile.ZipFile | None]:
        with readable(self.name):
            if not path.is_file():
                raise FileNotFoundError("not a file" if path.exists() else "no such file")
            file = self._open.enter_context(path.open("rb"))
            self._size = path.stat().st_size
            is_zip = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
            file.seek(0)
            return file, self._open.enter_context(zipfile.ZipFile(file)) if is_zip else None

    def _headers(self) -> dict[str, Header]:
        """Return the headers of the arrays by name; members that are no arrays are left out."""
        if self._archive is None:
            return {SINGLE: read_header(self._file, self.name, self._size)}
        headers = {}
        for member in self._archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name == member.filename:
                continue
            with readable(self._where(name)):
                if member.compress_type not in METHODS:
                    raise ValueError("compressed in another way than stored or deflated")
                with self._archive.open(member) as file:
                    headers[name] = read_header(file, self._where(name), member.file_size)
        return headers

    def _where(self, name: str) -> str:
        return self.name if self._archive is None else f"{self.name}, array {printable(name)!r}"

    def _open_rows(self, name: str, header: Header) -> Rows | ScatteredRows:
        where = self._where(name)
        if self._archive is None:
            if header.fortran:
                return ScatteredRows(self._file, header, where, header.length)
            self._file.seek(header.length)
            return Rows(self._file, header, where)
        with readable(where):
            file = self._open.enter_context(self._archive.open(f"{name}.npy"))
            file.read(header.length)
        return spooled(file, header, where) if header.fortran else Rows(file, header, where)

    def read(self, count: int) -> Data | None:
        """Return the next samples."""
        if not self._rows:
            self._rows = {name: self._open_rows(name, h) for name, h in self._used.items()}
        arrays = {name: source.read(count) for name, source in self._rows.items()}
        found = assigned(arrays, self._names, self.name)
        return shaped(found, self._graph) if length(found) else None

    def locate(self, sample: int) -> str:
        """Return how to find a sample."""
        return f"{self.name}, sample {sample}"

    def close(self) -> None:
        """Close the file."""
        self._open.close()


def data_files(folder: Path) -> list[Path]:
    """Return the data files of a folder in the natural order of their names.

    Raises:
        CompileError: HW400, there is none, or there are too many.
    """
    name = printable(folder.resolve().name)
    with readable(name):
        files = [p for p in folder.iterdir() if p.suffix in (".npy", ".npz") and p.is_file()]
    if not files or len(files) > MOST_FILES:
        found = f"a folder with {len(files):,} .npy and .npz files"
        raise CompileError([unreadable(name, found)])
    return sorted(files, key=lambda p: _natural(p.name))


class FolderSource:
    """The data files of a folder, one after the other in the natural order of their names."""

    def __init__(self, folder: Path, graph: Graph) -> None:
        """Look at every file, and keep none open.

        Raises:
            CompileError: there is none; one cannot be read, or does not suit the model.
        """
        self.name = printable(folder.resolve().name)
        self._graph = graph
        self._files = data_files(folder)
        looks = [self._look(path) for path in self._files]
        self.labelled: bool | None = looks[0][1]
        for path, (_, labelled) in zip(self._files, looks, strict=True):
            if labelled != self.labelled:
                some, none = (path, self._files[0])[:: 1 if labelled else -1]
                found = f"labels in {printable(some.name)}, none in {printable(none.name)}"
                raise CompileError([bad_labels(self.name, found)])
        self._ends = list(accumulate(samples for samples, _ in looks))
        self.samples: int | None = self._ends[-1]
        self._left = iter(self._files)
        self._current: FileSource | None = None

    def _look(self, path: Path) -> tuple[int, bool]:
        source = FileSource(path, self._graph)
        source.close()
        return source.samples or 0, bool(source.labelled)

    def read(self, count: int) -> Data | None:
        """Return the next samples, of as many files as that takes."""
        parts: list[Data] = []
        while (missing := count - sum(map(length, parts))) > 0:
            if self._current is None:
                path = next(self._left, None)
                if path is None:
                    break
                self._current = FileSource(path, self._graph)
            part = self._current.read(missing)
            if part is None:
                self.close()
            else:
                parts.append(part)
        return joined(parts, self.name)

    def locate(self, sample: int) -> str:
        """Return the file of a sample, and its place there."""
        i = bisect_right(self._ends, sample)
        first = self._ends[i - 1] if i else 0
        return f"{self.name}/{printable(self._files[i].name)}, sample {sample - first}"

    def close(self) -> None:
        """Close the file that is being read."""
        if self._current is not None:
            self._current.close()
        self._current = None


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that puts part2 before part10."""
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in re.split(r"([0-9]{1,18})", name)]
