"""A golden model as a list of closures on torch tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.qonnx.model import printable
from hwflow.simulate.torch.call import Call, RefusedError, Run
from hwflow.simulate.torch.operators import OPERATORS

Array = npt.NDArray[Any]
Function = tuple[str, str]


@dataclass(frozen=True)
class _Step:
    """One node, with the places of its values.

    Attributes:
        run: the closure.
        operands: places of the inputs; that of ``ABSENT`` where one is left out.
        results: places of the outputs.
        dead: places that nobody reads behind this step.
    """

    run: Run
    operands: tuple[int, ...]
    results: tuple[int, ...]
    dead: tuple[int, ...] = ()


ABSENT = 0
"""Place of an input that is left out; always None."""


class Program:
    """A model whose functions are laid out in one list of steps, for one device."""

    def __init__(self, model: onnx.ModelProto, device: Any) -> None:
        """Lay out a model.

        Args:
            model: the golden model.
            device: the ``torch.device`` that holds constants and values.

        Raises:
            CompileError: HW572, operators, or forms of them, without a function on torch tensors.
        """
        self._device = device
        self._functions: dict[Function, onnx.FunctionProto] = {
            (f.domain, f.name): f for f in model.functions
        }
        self._template: list[Any] = [None]
        self._known: dict[int, Array] = {}
        self._steps: list[_Step] = []
        self._findings: list[Diagnostic] = []
        scope = {"": ABSENT}
        for tensor in model.graph.initializer:
            scope[tensor.name] = self._constant(onnx.numpy_helper.to_array(tensor))
        self.inputs = {value.name: self._place() for value in model.graph.input}
        scope |= self.inputs
        self._lay_out(model.graph.node, scope)
        if self._findings:
            raise CompileError(self._findings)
        self.outputs = {value.name: scope[value.name] for value in model.graph.output}
        self._release()
        self._upload()

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs for a batch, by name, in the order of the model."""
        values = list(self._template)
        for name, place in self.inputs.items():
            array = feeds[name]
            array = array if array.flags.c_contiguous and array.flags.writeable else array.copy("C")
            values[place] = torch.from_numpy(array).to(self._device)
        for step in self._steps:
            found = step.run(*[values[place] for place in step.operands])
            for place, value in zip(step.results, _several(found), strict=False):
                values[place] = value
            for place in step.dead:
                values[place] = None
        return {name: values[place].cpu().numpy() for name, place in self.outputs.items()}

    def _place(self, value: Any = None) -> int:
        self._template.append(value)
        return len(self._template) - 1

    def _constant(self, array: Array) -> int:
        place = self._place()
        self._known[place] = array
        return place

    def _lay_out(
        self, nodes: Iterable[onnx.NodeProto], scope: dict[str, int], where: str = ""
    ) -> None:
        """Append the steps of nodes; ``scope`` has the places of values by name."""
        for node in nodes:
            function = self._functions.get((node.domain, node.op_type))
            if function is not None:
                operands = [scope[name] for name in node.input]
                inner = {"": ABSENT, **dict(zip(function.input, operands, strict=False))}
                self._lay_out(function.node, inner, node.name)
                results = [inner[name] for name in function.output]
                scope |= zip(node.output, results, strict=False)
            else:
                self._append(node, scope, where)

    def _append(self, node: onnx.NodeProto, scope: dict[str, int], where: str) -> None:
        operands = tuple(scope[name] for name in node.input)
        if node.op_type == "Constant" and not node.domain:
            scope[node.output[0]] = self._constant(_value(node))
            return
        known = {i: self._known[place] for i, place in enumerate(operands) if place in self._known}
        computed = {i for i, place in enumerate(operands) if place != ABSENT} - known.keys()
        try:
            run = _closure(node, known, computed)
        except RefusedError as refusal:
            self._findings.append(_unknown(node, where, str(refusal)))
            run, computed = torch.clone, {0}
        results = tuple(self._place() for _ in node.output)
        scope |= {n: place for n, place in zip(node.output, results, strict=True) if n}
        step = _Step(run, operands, results)
        if computed:
            self._steps.append(step)
        else:
            self._fold(step)

    def _fold(self, step: _Step) -> None:
        """Compute a step of constants now."""
        values = [self._known.get(place) for place in step.operands]
        found = step.run(*[None if v is None else torch.from_numpy(v.copy("C")) for v in values])
        for place, value in zip(step.results, _several(found), strict=False):
            self._known[place] = value.numpy()

    def _release(self) -> None:
        """Note in each step the values that are read there last."""
        kept = {ABSENT, *self._known, *self.outputs.values()}
        for i in reversed(range(len(self._steps))):
            step = self._steps[i]
            dead = {*step.operands, *step.results} - kept
            kept |= dead
            self._steps[i] = replace(step, dead=tuple(sorted(dead)))

    def _upload(self) -> None:
        """Put the constants that are read on the device."""
        read = {place for step in self._steps for place in step.operands}
        for place in self._known.keys() & {*read, *self.outputs.values()}:
            array = self._known[place].copy("C")
            self._template[place] = torch.from_numpy(array).to(self._device)


def _several(found: Any) -> Any:
    return found if isinstance(found, tuple) else (found,)


def _closure(node: onnx.NodeProto, known: Mapping[int, Array], computed: set[int]) -> Run:
    make = None if node.domain else OPERATORS.get(node.op_type)
    if make is None:
        raise RefusedError("no such operator")
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    call = Call(attributes, known, computed, len(node.output))
    run = make(call)
    call.finish()
    return run


def _value(node: onnx.NodeProto) -> Array:
    """Return the value of a node Constant."""
    (attribute,) = node.attribute
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.name == "value":
        return onnx.numpy_helper.to_array(value)
    return np.asarray(value, np.float32 if "float" in attribute.name else np.int64)


def _unknown(node: onnx.NodeProto, where: str, what: str) -> Diagnostic:
    return Diagnostic(
        code="HW572",
        title="the torch engine cannot compute a node of the golden model",
        where=printable(f"{where}: {node.op_type}"),
        found=printable(what),
        supported=", ".join(sorted(OPERATORS)),
        help="use --engine golden or --engine numpy; they give the same bits",
    )
