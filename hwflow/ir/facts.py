"""Facts about operators, which passes and frontends ask for instead of their names."""

from __future__ import annotations

from typing import ClassVar

from hwflow.ir.onnx_node import OnnxNode
from hwflow.ir.real.expression import Expression
from hwflow.ir.real.functions import parameters
from hwflow.ir.real.nodes import Function
from hwflow.ir.tensor import TensorType


class Facts:
    """What is true of an operator and of the ONNX nodes that it claims (``hwflow.ops.facts_of``).

    Class attributes:
        pointwise: it does the same to every element of its one input, wherever it stands.
        selects: every element of its exact result is an element of an input.
        moves: every element of its result is a different element of its one input.
        reorders: it moves all elements of its input.
        functions: those of ``onnx`` that make a real function of one operand, element by element.
        pairs: those of them that two functions of one value may be the operands of.
        pools: those of ``onnx`` that reduce windows along the spatial axes, channel by channel.
        homogeneous: it works element by element, and ``f(s x)`` is ``s f(x)`` for every s > 0.
        weighted: it sums products with constant weights.
        takes_integers: its operand is a quantised value, never a function of one.
        one_scale: several operands need one scale.
        aligned: scales of several operands may differ by a power of two, which is a shift.
        ranks: nothing counts about its operand but the order of its values.
        infinite: those of ``onnx`` for which an infinite constant means that there is no limit.
        wraps: whether its result may wrap around in short integers, as ONNX computes.
    """

    pointwise: ClassVar[bool] = False
    selects: ClassVar[bool] = False
    moves: ClassVar[bool] = False
    reorders: ClassVar[bool] = False
    functions: ClassVar[tuple[str, ...]] = ()
    pairs: ClassVar[tuple[str, ...]] = ()
    pools: ClassVar[tuple[str, ...]] = ()
    homogeneous: ClassVar[bool] = False
    weighted: ClassVar[bool] = False
    takes_integers: ClassVar[bool] = False
    one_scale: ClassVar[bool] = False
    aligned: ClassVar[bool] = False
    ranks: ClassVar[bool] = False
    infinite: ClassVar[tuple[str, ...]] = ()
    wraps: ClassVar[bool] = False

    @classmethod
    def real_function(cls, node: OnnxNode, x: TensorType, *trees: Expression) -> Expression:
        """Return the real function that a node of ``functions`` makes of others.

        By default that is the function of its name in ``hwflow.ir.real.functions``.

        Args:
            node: the ONNX node with its constants.
            x: the integers that the trees are functions of.
            trees: its operand, or both operands of ``pairs``.

        Raises:
            RefusedError: the node's constants are not finite, or do not suit the operand.
        """
        return Function(trees[0], node.op_type, parameters(node.op_type, node.attributes))

    @classmethod
    def is_line(cls, node: OnnxNode) -> bool:
        """Return whether a node of ``functions`` only scales and shifts its operand.

        Args:
            node: the ONNX node with its constants; its other operands are unknown.
        """
        return False

    @classmethod
    def is_plain(cls, node: OnnxNode) -> bool:
        """Return whether hardware computes a node of ``functions`` as it stands, exactly.

        That needs constants that are short binary fractions. Otherwise, the chain up to the
        quantiser behind it becomes one ``Requantize``.

        Args:
            node: the ONNX node with its constants; its other operands are unknown.
        """
        return False
