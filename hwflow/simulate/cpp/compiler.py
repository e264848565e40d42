"""Compiles a divided project: what is not in the cache, on all cores, and links it."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from hwflow.codegen.project import Project
from hwflow.core import toolchain
from hwflow.core.machine import cores
from hwflow.core.resources import sim_dir
from hwflow.simulate.cpp.cache import HEADERS, LAYERS, OBJECTS, PROGRAMS, digest_of
from hwflow.simulate.cpp.division import STEP, Division, Piece, prelude_of, source_of
from hwflow.simulate.cpp.limits import limits_of, names_of

PRELUDE = "hwflow_prelude.h"
INCLUDES = ("-I.", "-Ifirmware", "-Ifirmware/ap_types")

LIBRARIES = [
    "algorithm",
    "array",
    "cassert",
    "cmath",
    "cstddef",
    "cstdio",
    "cstdlib",
    "cstring",
    "fstream",
    "iostream",
    "map",
    "string",
    "tuple",
    "vector",
]
HLS = ("ap_types/ap_fixed.h", "ap_types/ap_int.h", "ap_types/hls_stream.h")
KERNELS = [
    "types",
    "helpers",
    "common",
    "mult",
    "function_stubs",
    "activation",
    "activation_stream",
    "batchnorm",
    "batchnorm_stream",
    "conv1d",
    "conv1d_latency",
    "conv1d_resource",
    "conv1d_stream",
    "conv2d",
    "conv2d_latency",
    "conv2d_resource",
    "conv2d_stream",
    "conv_stream",
    "da_wrappers",
    "dense",
    "dense_compressed",
    "dense_latency",
    "dense_resource",
    "dense_stream",
    "depthwise_product",
    "merge",
    "merge_stream",
    "padding",
    "padding_stream",
    "pooling",
    "pooling_stream",
    "sepconv1d",
    "sepconv1d_latency",
    "sepconv1d_stream",
    "sepconv2d",
    "sepconv2d_latency",
    "sepconv2d_stream",
    "sepconv_stream",
    "stream",
    "transpose",
    "transpose_stream",
]
"""Headers of hls4ml 1.3.0 (``nnet_*.h``) that layers of hwflow are made of."""

HEADS = tuple(f"firmware/{path}" for path in HLS) + tuple(
    f"firmware/nnet_utils/nnet_{name}.h" for name in KERNELS
)


@dataclass(frozen=True, eq=False)
class Compiler:
    """g++ with some flags, for one project.

    Attributes:
        project: the generated files; headers are taken from there.
        flags: flags of g++.
    """

    project: Project
    flags: tuple[str, ...]

    @cached_property
    def prelude(self) -> dict[str, bytes]:
        """The project's headers that every unit begins with, by path."""
        return prelude_of(self.project, HEADS)

    @cached_property
    def _prelude_source(self) -> bytes:
        lines = [f"#include <{name}>" for name in LIBRARIES]
        lines += [
            f'#include "{path.removeprefix("firmware/")}"' for path in HEADS if path in self.prelude
        ]
        return ("\n".join([*lines, '#include "hwflow_csim.h"']) + "\n").encode()

    @cached_property
    def _support(self) -> dict[str, bytes]:
        folder = sim_dir() / "csim"
        return {name: (folder / name).read_bytes() for name in ("hwflow_csim.h", "main.cpp")}

    @cached_property
    def _tool(self) -> bytes:
        return " ".join(("1", toolchain.CXX.version(), *self.flags)).encode()

    @cached_property
    def _prelude_digest(self) -> str:
        parts = [self._tool, self._prelude_source, self._support["hwflow_csim.h"]]
        for path, content in self.prelude.items():
            parts += [path.encode(), content]
        return digest_of(parts)

    def _digest(self, source: str, headers: Mapping[str, bytes]) -> str:
        """Return the digest of everything that is compiled into an object."""
        parts = [self._prelude_digest.encode(), source.encode()]
        for path, content in headers.items():
            parts += [path.encode(), content]
        return digest_of(parts)

    def program(self, division: Division) -> Path:
        """Return the program that a project's pieces make, built or found in the cache.

        Raises:
            ToolError: g++ is missing, the C++ does not compile, or the cache cannot be written.
        """
        pieces = (division.top, division.caller, *division.layers)
        keys = "".join(piece.key for piece in pieces) + self._prelude_digest
        digest = digest_of((keys.encode(), self._support["main.cpp"]))
        if not PROGRAMS.has(digest):
            with tempfile.TemporaryDirectory(prefix="hwflow-build-") as name:
                PROGRAMS.put(digest, self._build(division, Path(name)))
            for shelf in (PROGRAMS, OBJECTS, LAYERS, HEADERS):
                shelf.forget_oldest()
        return PROGRAMS.path(digest)

    def _build(self, division: Division, folder: Path) -> Path:
        """Compile what the cache does not have, and link it."""
        self._write_headers(folder)
        objects, missing = self._known(division.layers, folder)
        groups = _in_groups(missing, cores())
        tasks = [_task(group) for group in groups]  # first, since they take longest
        tasks += [_task([division.caller]), _task([division.top])]
        tasks.append((self._support["main.cpp"].decode(), {}))
        wanted = {self._digest(*task): task for task in tasks}
        layers = dict(zip(wanted, groups, strict=False))
        new = {d: source for d, (source, _) in wanted.items() if not _fetch(d, folder)}
        if new:
            self._precompile(folder)
        steps = [partial(self._compile, folder, d, new[d], layers.get(d, ())) for d in new]
        toolchain.side_by_side(steps, cores())
        for group, digest in zip(groups, wanted, strict=False):
            self._remember(group, digest, wanted[digest][1], folder)
        names = [f"{digest}.o" for digest in dict.fromkeys([*objects, *wanted])]
        self._run(folder, [*names, "-o", "program"])
        return folder / "program"

    def _known(self, layers: Sequence[Piece], folder: Path) -> tuple[list[str], list[Piece]]:
        """Fetch objects that have some of the layers; return their digests, and the other layers.

        An object may have other layers, too, which do no harm, but none of its headers may differ
        from the project's: functions in them that are not of one layer are taken from any object.
        """
        objects: dict[str, bool] = {}
        missing = []
        for piece in layers:
            key = self._digest(piece.key, {})
            found = LAYERS.path(key).read_text().split("\n") if LAYERS.has(key) else [""]
            if found[0] not in objects:
                same = all(self._has_header(line) for line in found[1:])
                objects[found[0]] = bool(found[0]) and same and _fetch(found[0], folder)
            if not objects[found[0]]:
                missing.append(piece)
        return [digest for digest, usable in objects.items() if usable], missing

    def _has_header(self, line: str) -> bool:
        digest, _, path = line.partition(" ")
        content = self.project.files.get(path)
        return content is None or digest_of([content]) == digest

    def _remember(
        self, group: Sequence[Piece], digest: str, headers: Mapping[str, bytes], folder: Path
    ) -> None:
        lines = [digest, *(f"{digest_of([c])} {path}" for path, c in headers.items())]
        entry = folder / "entry"
        entry.write_text("\n".join(lines))
        for piece in group:
            LAYERS.put(self._digest(piece.key, {}), entry)

    def _write_headers(self, folder: Path) -> None:
        files = {p: c for p, c in self.project.files.items() if p.endswith(".h")}
        files |= {PRELUDE: self._prelude_source, **self._support}
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)

    def _precompile(self, folder: Path) -> None:
        """Put the precompiled prelude beside its source, which g++ takes if it cannot use it."""
        digest = self._prelude_digest
        made = folder / f"{PRELUDE}.gch"
        if HEADERS.has(digest):
            made.symlink_to(HEADERS.path(digest).absolute())
            return
        self._run(folder, ["-x", "c++-header", PRELUDE, "-o", made.name])
        HEADERS.put(digest, made)

    def _compile(self, folder: Path, digest: str, source: str, layers: Sequence[Piece]) -> None:
        (folder / f"{digest}.cpp").write_text(source)
        arguments = ["-include", PRELUDE, "-c", f"{digest}.cpp", "-o", f"{digest}.o"]
        self._run(folder, arguments, layers)
        OBJECTS.put(digest, folder / f"{digest}.o")

    def _run(self, folder: Path, arguments: Sequence[str], layers: Sequence[Piece] = ()) -> None:
        toolchain.run(
            toolchain.CXX,
            [*self.flags, *INCLUDES, *arguments],
            cwd=folder,
            limits=limits_of(),
            what=f"compiling {names_of(layers)}",
        )


def _in_groups(pieces: Sequence[Piece], most: int) -> list[Sequence[Piece]]:
    """Return pieces in at most so many groups of neighbours, about equally many in each.

    Layers have most of their templates in common, so that a few units take less time than many.
    """
    count = min(most, len(pieces))
    ends = [len(pieces) * n // count for n in range(count + 1)] if count else []
    return [pieces[a:b] for a, b in itertools.pairwise(ends)]


def _task(pieces: Sequence[Piece]) -> tuple[str, dict[str, bytes]]:
    """Return the source of a translation unit, and the headers that it includes."""
    headers = {path: content for piece in pieces for path, content in piece.headers.items()}
    named = [replace(piece, code=piece.code.replace(STEP, piece.function)) for piece in pieces]
    return source_of(named), dict(sorted(headers.items()))


def _fetch(digest: str, folder: Path) -> bool:
    """Copy an object out of the cache; return whether it was there."""
    if not OBJECTS.has(digest):
        return False
    try:
        shutil.copyfile(OBJECTS.path(digest), folder / f"{digest}.o")
    except OSError:
        return False  # another process has just removed it
    return True
