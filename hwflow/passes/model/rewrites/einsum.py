"""An Einsum of one or two operands is sums over axes, transpositions and a matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter, dims


@dataclass(frozen=True)
class Terms:
    """The axes of an equation, each a letter.

    Attributes:
        operands: those of each operand.
        result: those of the result.
        sizes: length of each axis.
    """

    operands: tuple[str, ...]
    result: str
    sizes: dict[str, int]

    def shape(self, letters: str) -> list[int]:
        """Return the lengths of some axes."""
        return [self.sizes[letter] for letter in letters]


def to_matrix_product(model: QonnxModel, node: ir.Node) -> bool:
    """Write an ``Einsum`` as a ``MatMul`` of operands with their axes in order.

    Not written are equations in which an axis stands twice in an operand, in which the batch axis
    is not the first of all activations and of the result, and those of three operands or more.
    """
    operands = [v for v in node.inputs if v is not None]
    terms = _terms(node.attributes["equation"].as_string(), [dims(v) for v in operands])
    constants = [constant_of(v) for v in operands]
    if terms is None or not _keeps_the_batch(terms, [c is None for c in constants]):
        return False
    write = Rewriter(model, node)
    if len(operands) == 1:
        (value,), (letters,) = operands, terms.operands
        value, letters = _summed(write, value, letters, terms.result)
        _finish(write, value, letters, terms)
        return write.done()
    if constants[0] is not None:  # the constant stands on the right
        operands, constants = operands[::-1], constants[::-1]
        terms = Terms(terms.operands[::-1], terms.result, terms.sizes)
    _write_pair(write, operands, constants[1], terms)
    return write.done()


def _write_pair(
    write: Rewriter, operands: Sequence[ir.Value], constant: Constant | None, terms: Terms
) -> None:
    """Write the product of two operands, of which the second may be a constant."""
    left, right = terms.operands
    x, left = _summed(write, operands[0], left, right + terms.result)
    y = operands[1]
    if constant is not None:
        gone = [i for i, a in enumerate(right) if a not in left + terms.result]
        constant = Constant(constant.values.sum(axis=tuple(gone)), constant.quantized and not gone)
        right = "".join(a for i, a in enumerate(right) if i not in gone)
    else:
        y, right = _summed(write, y, right, left + terms.result)
    both = "".join(a for a in terms.result if a in left and a in right)
    inner = "".join(a for a in left if a in right and a not in terms.result)
    rows = "".join(a for a in terms.result if a in left and a not in right)
    columns = "".join(a for a in terms.result if a in right and a not in left)
    batch = "" if constant is None else "".join(a for a in left[:1] if a not in right)
    rows = rows.replace(batch, "", 1) if batch else rows
    first = _ordered(write, x, left, [batch + both, rows, inner], terms)
    if constant is None:
        second = _ordered(write, y, right, [both, inner, columns], terms)
    else:
        values = constant.values.transpose([right.index(a) for a in both + inner + columns])
        shape = [*terms.shape(both), prod(terms.shape(inner)), prod(terms.shape(columns))]
        matrices = Constant(np.ascontiguousarray(values).reshape(shape), constant.quantized)
        second = write.numbers("matrix", matrices)
    product = write.add("MatMul", [first, second])
    letters = batch + both + rows + columns
    if len(rows) != 1 or len(columns) != 1:
        product = write.add("Reshape", [product, write.integers("apart", terms.shape(letters))])
    _finish(write, product, letters, terms)


def _terms(equation: str, shapes: Sequence[tuple[int, ...]]) -> Terms | None:
    """Return the axes of an equation of one or two operands, or None for another one."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    operands = left.split(",")
    if len(operands) != len(shapes) or len(operands) > 2:
        return None
    if "..." in left:
        operands, result = _without_dots(operands, result, shapes)
    if not arrow:
        every = "".join(operands)
        result = "".join(sorted(a for a in set(every) if every.count(a) == 1))
    sizes: dict[str, int] = {}
    for letters, shape in zip(operands, shapes, strict=True):
        if len(set(letters)) < len(letters) or len(letters) != len(shape):
            return None
        for letter, size in zip(letters, shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                return None  # an axis of length 1 that is repeated
    return Terms(tuple(operands), result, sizes) if set(result) <= set(sizes) else None


def _without_dots(
    operands: Sequence[str], result: str, shapes: Sequence[tuple[int, ...]]
) -> tuple[list[str], str]:
    """Return an equation with letters for what ``...`` stands for, the last ones shared."""
    free = [a for a in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if a not in "".join(operands)]
    longest, found = "", []
    for letters, shape in zip(operands, shapes, strict=True):
        count = max(len(shape) - len(letters.replace("...", "")), 0) if "..." in letters else 0
        some = "".join(reversed(free[:count]))
        longest = max(longest, some, key=len)
        found.append(letters.replace("...", some))
    return found, result.replace("...", longest)


def _keeps_the_batch(terms: Terms, activations: Sequence[bool]) -> bool:
    """Return whether the first axis of every activation is that of the result, and of no weight."""
    if not any(activations) or not terms.result:
        return False
    batch = terms.result[0]
    pairs = zip(terms.operands, activations, strict=True)
    return all(a.startswith(batch) if varies else batch not in a for a, varies in pairs)


def _summed(write: Rewriter, value: ir.Value, letters: str, kept: str) -> tuple[ir.Value, str]:
    """Return an operand without the axes that stand nowhere else, which are summed over."""
    gone = [i for i, a in enumerate(letters) if a not in kept]
    if not gone:
        return value, letters
    found = write.add("ReduceSum", [value, write.integers("axes", gone)], keepdims=0)
    return found, "".join(a for i, a in enumerate(letters) if i not in gone)


def _ordered(
    write: Rewriter, value: ir.Value, letters: str, groups: Sequence[str], terms: Terms
) -> ir.Value:
    """Return an operand with the axes of each group together; the first group's stay apart."""
    outer, *others = groups
    value = _transposed(write, value, letters, "".join(groups))
    if all(len(g) == 1 for g in others):
        return value
    shape = [*terms.shape(outer), *(prod(terms.shape(g)) for g in others)]
    return write.add("Reshape", [value, write.integers("matrices", shape)])


def _transposed(write: Rewriter, value: ir.Value, letters: str, order: str) -> ir.Value:
    perm = [letters.index(a) for a in order]
    if perm == sorted(perm):
        return value
    return write.add("Transpose", [value], perm=perm)


def _finish(write: Rewriter, value: ir.Value, letters: str, terms: Terms) -> None:
    """Write the last transposition, under the name of the result."""
    write.replace("Transpose", [value], perm=[letters.index(a) for a in terms.result])
