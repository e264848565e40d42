"""Which layers' weights can be written, and the network with them as arguments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.estimate.fabric import LUT_PER_PRODUCT_BIT
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.graph import Graph, Node
from hwflow.ir.text import print_value
from hwflow.package.reload.code import (
    Variable,
    image_words,
    multiplies,
    variables_of,
    with_arguments,
)
from hwflow.package.reload.form import (
    WORD_BYTES,
    Extra,
    Reload,
    StructureLayer,
    WeightArray,
    digest_of,
)
from hwflow.project.design import Design
from hwflow.report.manifest.fields import cut

ALL = "all"
"""What stands for every layer with weights."""

WINDOW_WORDS = 256
"""Words of the window: half of a block RAM of 18 kbit."""

LANES: tuple[int, ...] = (8, 16, 32, 64)
FREE = ("weight", "bias", "accum_t", "input_exponent")
"""Fields of a layer that its values decide, or that the types of the block say."""


@dataclass(frozen=True, eq=False)
class Writable:
    """A design whose project has weights as arguments.

    Attributes:
        design: biases are in the type of the accumulator, which is given.
        files: the project's files with the arrays as arguments.
        variables: the arguments behind the ports, in their order.
        reload: what ``ip.json`` says of them, but for the place of the window.
        image: words of the image of the design's own weights.
    """

    design: Design
    files: Mapping[str, bytes]
    variables: tuple[Variable, ...]
    reload: Reload
    image: bytes


def make_writable(design: Design, wanted: Sequence[str]) -> Writable:
    """Return a design whose chosen layers' weights can be written.

    Args:
        design: what ``hwflow build`` wrote.
        wanted: names of layers, or ``all``.

    Raises:
        CompileError: HW581, weights of a layer cannot be written, or there is no such layer.
    """
    names = chosen_layers(design, wanted)
    graph = with_types(design.graph, names)
    pinned = replace(design, graph=graph, stored=None, stored_golden=None)
    return writable_of(pinned, names)


def writable_of(design: Design, names: Sequence[str]) -> Writable:
    """Return a design with given types whose project has the layers' weights as arguments."""
    files, network = design.project.files, design.graph.name
    found = {name: variables_of(files, network, name) for name in names}
    variables = tuple(variable for pair in found.values() for variable in pair)
    arrays = tuple(_arrays(design.graph, found))
    changed = with_arguments(files, network, variables, names)
    image = image_words(files, arrays)
    structure = tuple(structure_of(design.graph, names))
    text = json.dumps([layer.model_dump() for layer in structure], sort_keys=True)
    reload = Reload(
        window_address=0,
        window_words=WINDOW_WORDS,
        image_words=len(image) // WORD_BYTES,
        digest=digest_of(image),
        arrays=arrays,
        structure=structure,
        structure_sha256=hashlib.sha256(text.encode()).hexdigest(),
        extra=_extra(design.graph, arrays),
    )
    return Writable(design, changed, variables, reload, image)


def chosen_layers(design: Design, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the layers whose weights are to be written, in the graph's order.

    Raises:
        CompileError: HW581.
    """
    nodes = [node for node in design.graph.nodes if node.op.weighted]
    obstacles = {node.name: _obstacle(design, node) for node in nodes}
    possible = [name for name, why in obstacles.items() if not why]
    asked = set(obstacles) if ALL in wanted else set(wanted)
    findings = [
        _refused(design, name, obstacles.get(name, _no_weights(design.graph, name)), possible)
        for name in [*obstacles, *wanted]
        if name in asked and (name not in obstacles or obstacles[name])
    ]
    if findings or not asked:
        raise CompileError(findings or [_refused(design, ALL, "no layer has weights", [])])
    return tuple(name for name in obstacles if name in asked)


def _no_weights(graph: Graph, name: str) -> str:
    if name not in graph.by_name:
        hint = did_you_mean(name, [node.name for node in graph.nodes if node.op.weighted])
        return "there is no layer of this name" + (f"; {hint}" if hint else "")
    return f"a layer {graph.by_name[name].op.kind}, which has no weights but constants of its own"


def _obstacle(design: Design, node: Node) -> str:
    """Return why a layer's weights cannot be written; nothing where they can."""
    op: Any = node.op
    if op.strategy == "distributed_arithmetic":
        return 'strategy = "distributed_arithmetic" makes adders of the weights'
    if op.product == "xnor":
        return 'product = "xnor" takes weights of one bit for signs'
    if not multiplies(design.project.files, node.name):
        return f"its kernel does not multiply by {op.weight.dtype}, but tells some weights apart"
    return ""


def _refused(design: Design, name: str, why: str, possible: Sequence[str]) -> Diagnostic:
    choose = f"--reloadable {','.join(possible)}"
    return Diagnostic(
        code="HW581",
        title="weights of this layer cannot be written while the block runs",
        where=f"{name}, in {design.source}",
        found=why,
        supported=", ".join(possible) or "none of this network",
        help=choose if possible else "package without --reloadable",
    )


def with_types(graph: Graph, names: Sequence[str]) -> Graph:
    """Return a graph whose layers have the accumulators that they have, and biases in their type.

    So a bias is as wide as its sum, and other biases fit, too; no result changes.
    """
    ops = {}
    for name in names:
        node = graph.by_name[name]
        op: Any = node.op
        accum_t = op.exact(*graph.input_types(node)).dtype
        ops[name] = replace(op, accum_t=accum_t, bias=op.bias.cast(accum_t))
    return graph.replace_ops(ops)


def structure_of(graph: Graph, names: Sequence[str]) -> Iterator[StructureLayer]:
    """Yield the layers of a graph as a model for its block must have them."""
    for node in graph.nodes:
        result = graph.types[node.name]
        yield StructureLayer(
            name=cut(node.name),
            kind=node.op.kind,
            inputs=node.inputs,
            shape=result.shape,
            type=cut(result.dtype),
            settings=dict(_settings(node, writable=node.name in names)),
        )


def _settings(node: Node, *, writable: bool) -> Iterator[tuple[str, str]]:
    """Yield what decides about a layer with weights; the C++ of others says it all."""
    if not node.op.weighted:
        return
    for name, value in node.op.parameters().items():
        if name in FREE and (writable or name not in ("weight", "bias")):
            continue
        yield name, cut(print_value(value))
    op: Any = node.op
    yield "weights", "x".join(map(str, op.weight.shape))


def _arrays(graph: Graph, found: Mapping[str, tuple[Variable, Variable]]) -> Iterator[WeightArray]:
    word = 0
    for layer, variables in found.items():
        op: Any = graph.by_name[layer].op
        in_ram = op.strategy == "resource" and op.reuse_factor > 1
        values: tuple[FixedArray, FixedArray] = (op.weight, op.bias)
        for variable, role, numbers in zip(variables, ("weight", "bias"), values, strict=True):
            dtype = numbers.dtype
            lane = next(bits for bits in LANES if bits >= dtype.width)
            words = -(-variable.size * lane // (8 * WORD_BYTES))
            words += words % 2 if lane == LANES[-1] else 0
            yield WeightArray.model_validate(
                {
                    "layer": layer,
                    "role": role,
                    "variable": variable.name,
                    "type": str(dtype),
                    "width": dtype.width,
                    "signed": dtype.signed,
                    "fractional_bits": dtype.fractional,
                    "elements": variable.size,
                    "lane_bits": lane,
                    "first_word": word,
                    "words": words,
                    "storage": "block_ram" if in_ram and role == "weight" else "registers",
                }
            )
            word += words


def _extra(graph: Graph, arrays: Sequence[WeightArray]) -> Extra:
    """Return what writable weights take; those in block RAM lie there as constants, too."""
    registers = [array for array in arrays if array.storage == "registers"]
    multipliers, luts = 0, 0.0
    for array in registers:
        if array.role == "weight":
            node = graph.by_name[array.layer]
            op: Any = node.op
            (x,) = graph.input_types(node)
            count = -(-array.elements // op.reuse_factor)
            multipliers += count
            luts += count * LUT_PER_PRODUCT_BIT * array.width * x.dtype.width
    return Extra(
        basis="estimated",
        register_bits=sum(array.width * array.elements for array in registers),
        multipliers=multipliers,
        lut=round(luts),
        bram_18k=1,
    )


def dtype_of(array: WeightArray) -> FixedType:
    """Return the type of an array's elements, rounding and overflow left out."""
    return FixedType(array.width, array.width - array.fractional_bits, array.signed)
