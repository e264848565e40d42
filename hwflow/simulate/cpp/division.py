"""A generated project in pieces that are compiled on their own: one for each of its layers.

The piece of a layer holds, word for word, its call and those types, configurations and generated
functions that the call refers to, and nothing else, so that its text changes only when they do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from hwflow.codegen.project import Project
from hwflow.simulate.cpp.blocks import Block, Blocks, declared_in, joined, names_in, split_blocks
from hwflow.simulate.cpp.cache import digest_of
from hwflow.simulate.cpp.sums import with_sums
from hwflow.simulate.cpp.tables import with_tables

LAYERS_MARK = "// hls-fpga-machine-learning insert layers"
"""Comment of hls4ml 1.3.0's writer in the top function, before its layers."""

GENERATED_CODE = "firmware/nnet_utils/nnet_code_gen.h"
"""Functions that hls4ml writes for single layers."""

TYPES, GENERATED, WEIGHTS, CONFIGS = range(4)
"""Sections of a translation unit, in the order in which hls4ml's ``parameters.h`` has them."""

STEP = "HWFLOW_STEP"
"""Placeholder for the name of the function of a layer's piece, which follows from its text."""

_LOAD = re.compile(r'\s*nnet::load_\w+<.*>\((\w+), "\w+\.txt"\);')
_VARIABLE = re.compile(
    r'\s*(?:hls::stream<(?P<stream>\w+)> (?P<s>\w+)\("\w*"\)|'
    r"(?P<type>\w+) (?P<a>\w+)\[(?P<size>[^\]]*)\]|auto& (?P<alias>\w+) = (?P<of>\w+));\s*"
)
_ARRAY = re.compile(r"(\w+) (\w+)\[([^\]]*)\];")
_INCLUDE = re.compile(r'^\s*#include [<"]([^">]+)[">]', re.M)


@dataclass(frozen=True, eq=False)
class Piece:
    """Part of a translation unit.

    Attributes:
        code: functions.
        needed: the declarations that they need.
        includes: what they include, as written in C++.
        headers: content of the project's headers that are included, directly or through others,
            by path; those of the prelude are not among them.
        layer: name of the layer, or empty.
    """

    code: str
    needed: tuple[Block, ...]
    includes: tuple[str, ...]
    headers: Mapping[str, bytes]
    layer: str = ""

    @cached_property
    def key(self) -> str:
        """Digest of everything that is compiled, but for the prelude."""
        parts = [source_of([self]).encode()]
        for path, content in self.headers.items():
            parts += [path.encode(), content]
        return digest_of(parts)

    @property
    def function(self) -> str:
        """Name of the function of a layer's piece; no other version of the layer has it."""
        return f"hwflow_step_{self.key}"


@dataclass(frozen=True)
class Division:
    """A project in pieces.

    Attributes:
        top: the file of the top function, which calls the functions of the layers.
        caller: what calls the top function.
        layers: one piece for each layer.
    """

    top: Piece
    caller: Piece
    layers: tuple[Piece, ...]


@dataclass(frozen=True)
class _Step:
    """Lines of the top function that belong together: the call of a layer and its trace.

    Attributes:
        text: the lines.
        arguments: the top function's variables in them.
        at: index of the line that takes their place.
    """

    text: str
    arguments: tuple[str, ...]
    at: int


def source_of(pieces: Sequence[Piece]) -> str:
    """Return the translation unit of some pieces.

    What belongs to layers has no linkage, so that different versions of a layer can be parts of one
    program without being taken for each other.
    """
    needed = sorted({b for piece in pieces for b in piece.needed}, key=lambda b: b.place)
    sections = [joined(b for b in needed if b.section == section) for section in range(4)]
    includes = dict.fromkeys(name for piece in pieces for name in piece.includes)
    return "\n\n".join(
        [
            sections[TYPES],
            "\n".join(f'#include "{name}"' for name in includes),
            f"namespace nnet {{\nnamespace {{\n{sections[GENERATED]}\n}}\n}}",
            f"namespace {{\n{sections[WEIGHTS]}\n\n{sections[CONFIGS]}\n}}",
            *(piece.code for piece in pieces),
            "",
        ]
    )


def divide(project: Project, prelude: Sequence[str], caller: str) -> Division:
    """Return a project's C++ in pieces.

    Args:
        project: the generated files.
        prelude: paths of the project's headers that are included before everything.
        caller: C++ that calls the top function; on its own, since it needs the types of ports
            only.
    """
    head, body = project.text(f"firmware/{project.name}.cpp").split(LAYERS_MARK, 1)
    variables = _variables(_ports(head), body)
    lines, steps = _steps(body, variables)
    loads = {found[1]: found[0].strip() for found in _LOAD.finditer(head)}
    blocks = Blocks(tuple(_blocks(project, tuple(loads))))
    layers, declared, loaders = [], [], []
    for step in steps:
        signature = f"({', '.join(variables[name] for name in step.arguments)})"
        used = names_in(step.text)
        own = "\n    ".join(line for name, line in loads.items() if name in used)
        code = f"void {STEP}{signature} {{\n{step.text}\n}}\n\nvoid {STEP}_load() {{\n    {own}\n}}"
        piece = replace(_piece(project, code, blocks, prelude), layer=_layer_in(step.text))
        declared.append(f"void {piece.function}{signature};\nvoid {piece.function}_load();")
        lines[step.at] = f"    {piece.function}({', '.join(step.arguments)});"
        loaders += [f"        {piece.function}_load();"] if own else []
        layers.append(piece)
    head = _with_loaders(head, loaders).replace('#include "parameters.h"', "\n".join(declared))
    headers = _reached(project, [f"firmware/{project.name}.h"], prelude)
    top = Piece(head + LAYERS_MARK + "\n".join(lines), (), (), headers)
    return Division(top, _piece(project, caller, blocks, prelude), tuple(layers))


def _layer_in(code: str) -> str:
    """Return the name of the layer that a call belongs to: its configuration carries it."""
    found = re.search(r"\b[a-z_]*config\d+_(\w+)", code)
    return found[1] if found else ""


def _with_loaders(head: str, loaders: Sequence[str]) -> str:
    """Return the top function up to its layers, each unit loading its own weights."""
    lines = [line for line in head.split("\n") if not _LOAD.fullmatch(line)]
    at = next((n for n, line in enumerate(lines) if "if (!loaded_weights) {" in line), None)
    if at is not None:
        lines[at + 1 : at + 1] = loaders
    return "\n".join(lines)


def _ports(head: str) -> dict[str, str]:
    """Return the declarations of the top function's arguments, by name."""
    arguments = head.split("(", 1)[1].split(")", 1)[0]
    found = {}
    for argument in arguments.split(","):
        name = re.search(r"(\w+)\s*(?:\[[^\]]*\])?\s*$", argument)
        if name:
            found[name[1]] = argument.strip()
    return found


def _variables(ports: Mapping[str, str], body: str) -> dict[str, str]:
    """Return the variables of the top function as declarations of arguments, by name."""
    found = dict(ports)
    for line in body.split("\n"):
        if match := _VARIABLE.fullmatch(line):
            if match["s"]:
                found[match["s"]] = f"hls::stream<{match['stream']}> &{match['s']}"
            elif match["a"]:
                found[match["a"]] = f"{match['type']} (&{match['a']})[{match['size']}]"
            else:
                same = found[match["of"]]
                found[match["alias"]] = re.sub(rf"\b{match['of']}\b", match["alias"], same)
    return found


def _steps(body: str, variables: Mapping[str, str]) -> tuple[list[str], list[_Step]]:
    """Return the lines of the top function's body, an empty one for each step, and the steps."""
    inside, _, end = body.rpartition("}")
    kept: list[str] = []
    steps: list[_Step] = []
    chunk: list[str] = []
    for line in [*inside.split("\n"), ""]:
        outside = not line.strip() or _VARIABLE.fullmatch(line)
        if not outside and (chunk or not line.lstrip().startswith(("#pragma", "//"))):
            chunk.append(line)
            continue
        if chunk:
            used = names_in("\n".join(chunk))
            arguments = tuple(name for name in variables if name in used)
            steps.append(_Step("\n".join(chunk), arguments, len(kept)))
            kept.append("")
            chunk = []
        kept.append(_guarded(line))
    return [*kept, "}" + end], steps


def _guarded(line: str) -> str:
    """Return a line of the top function whose variable, if an array, has numbers behind its end."""
    found = _VARIABLE.fullmatch(line)
    if not found or not found["a"]:
        return line
    dtype, name, size = found["type"], found["a"], found["size"]
    return (
        f"    hwflow_csim::Guarded<{dtype}, {size}> hwflow_{name};\n"
        f"    auto &{name} = hwflow_{name}.values;"
    )


def _blocks(project: Project, weights: Sequence[str]) -> Iterator[Block]:
    """Yield all declarations of a project's own files, in the order of ``parameters.h``."""
    place = 0
    for section, code in _sections(project, weights):
        for text in split_blocks(code):
            made = with_sums(with_tables(text)) if section == GENERATED else text
            yield Block(made, section, place)
            place += 1


def _sections(project: Project, weights: Sequence[str]) -> Iterator[tuple[int, str]]:
    types = project.text("firmware/defines.h").split("insert layer-precision", 1)[1]
    yield TYPES, types.rpartition("// hls-fpga-machine-learning")[0]
    generated = project.text(GENERATED_CODE).split("namespace nnet {", 1)[1]
    for part in generated.rpartition("} // namespace nnet")[0].split("// hls4ml insert code", 1):
        yield GENERATED, part
    for name in weights:
        header = project.text(f"firmware/weights/{name}.h")
        array = header.split("#ifndef __SYNTHESIS__", 1)[1].split("#else", 1)[0]
        yield WEIGHTS, _ARRAY.sub(r"\1 \2[\3 + hwflow_csim::guard];", array)
    configs = project.text("firmware/parameters.h").split("insert layer-config", 1)[1]
    yield CONFIGS, configs.rpartition("#endif")[0]


def _piece(project: Project, code: str, blocks: Blocks, prelude: Sequence[str]) -> Piece:
    """Return functions with what they need."""
    needed = blocks.needed_by(code)
    wanted = names_in(code).union([""], *(block.uses for block in needed))
    includes = {}
    for name in _INCLUDE.findall(project.text("firmware/parameters.h")):
        path = f"firmware/{name}"
        if path in prelude or path == GENERATED_CODE or path not in project.files:
            continue
        if name.startswith("nnet_utils/") and declared_in(project.text(path)) & wanted:
            includes[name] = path
    headers = _reached(project, list(includes.values()), prelude)
    return Piece(code, tuple(needed), tuple(includes), headers)


def _reached(project: Project, first: Sequence[str], prelude: Sequence[str]) -> dict[str, bytes]:
    """Return the project's headers that are included from some, without those of the prelude."""
    found: dict[str, bytes] = {}
    waiting = list(first)
    while waiting:
        path = waiting.pop()
        if path in found or path in prelude:
            continue
        found[path] = project.files[path]
        folder = path.rpartition("/")[0] + "/"
        for name in _INCLUDE.findall(project.text(path)):
            other = _find(project, name, folder)
            if other is not None:
                waiting.append(other)
    return dict(sorted(found.items()))


def _find(project: Project, name: str, folder: str) -> str | None:
    """Return the path of an included header, or None for one of the system."""
    for place in (folder, "firmware/", "firmware/ap_types/"):
        if place + name in project.files:
            return place + name
    return None


def prelude_of(project: Project, headers: Sequence[str]) -> dict[str, bytes]:
    """Return all headers of the project that are included from some, themselves among them."""
    return _reached(project, [path for path in headers if path in project.files], ())
