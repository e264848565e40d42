"""Hardware graphs of designs of which synthesis reports are public.

A point has the calls of the top function in order (``calls``), the configuration of each layer
(``layers``), its types, and where its quantised integer weights lie; it becomes the graph that
hwflow would have of the same layers, so that the public path estimates it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, prod
from typing import Any

import numpy as np

import hwflow.ops  # noqa: F401 - registers the operators
from hwflow.fixed import FixedArray, FixedType, Overflow, RawArray, Rounding, overflow_raw
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Op
from hwflow.ir.tensor import TensorType

Point = Mapping[str, Any]
Call = Mapping[str, Any]
Arrays = Mapping[str, RawArray]

PLAIN = ("relu", "linear", "softmax", "normalize")
"""Layers that take each value or channel by itself, but those by table."""

TABLES = {"sigmoid": ("Sigmoid", 1), "tanh": ("Tanh", 2), "dense_tanh": ("Tanh", 2)}
"""Operators of activations by table, and the integer bits of their results."""


class UnusableError(Exception):
    """Why a design does not count."""


def fixed(text: Any, default: FixedType | None = None) -> FixedType:
    """Return a type of a point; 16 bits, 6 of them integer, where it names none."""
    if not isinstance(text, Mapping) or not text.get("w"):
        return default or FixedType(16, 6)
    modes = [m for m in str(text.get("q", "")).replace("AP_", "").strip(",").split(",") if m]
    rounding = Rounding(modes[0]) if modes else Rounding.TRN
    overflow = Overflow(modes[1]) if len(modes) > 1 else Overflow.WRAP
    return FixedType(
        min(int(text["w"]), 60), int(text["i"]), bool(text["signed"]), rounding, overflow
    )


def in_beats(n: int, text: Any) -> tuple[int, ...]:
    """Return the shape of ``n`` values that a stream carries, positions first."""
    channels = str(text.get("arr")) if isinstance(text, Mapping) else ""
    if channels.isdigit() and 0 < int(channels) < n and n % int(channels) == 0:
        return (n // int(channels), int(channels))
    return (n,)


class GraphOfCalls:
    """Builds the graph of one design, call by call."""

    def __init__(self, point: Point, arrays: Arrays) -> None:
        """Begin with nothing; arrays are the weights, by name."""
        self.point, self.arrays = point, arrays
        self.nodes: list[Node] = []
        self.types: dict[str, TensorType] = {}
        self.values: dict[str, str] = {}
        self.inputs: list[Port] = []
        self.streams = any(t.get("arr") for c in point["calls"] for t in c.get("types", ()))

    def build(self) -> Graph:
        """Return the graph; what nothing reads is an output.

        Raises:
            UnusableError: a layer or its weights are not known.
        """
        for call in self.point["calls"]:
            self._call(call)
        used = {name for node in self.nodes for name in node.inputs}
        ends = [node.name for node in self.nodes if node.name not in used]
        outputs = [Port(e, f"out{i}", self._axes(e)) for i, e in enumerate(ends)]
        return Graph.build("design", self.nodes, self.inputs, outputs)

    def _axes(self, name: str) -> tuple[int, ...]:
        return tuple(range(1, len(self.types[name].shape) + 1))

    def _add(self, op: Op, *inputs: str) -> str:
        name = f"n{len(self.nodes)}_{op.kind.lower()}"
        self.nodes.append(Node(name, op, inputs))
        self.types[name] = op.infer(*(self.types[i] for i in inputs))
        return name

    def _value(self, variable: str, shape: Sequence[int], text: Any) -> str:
        """Return the node that makes a variable, in a shape; an input where nothing makes it."""
        if variable not in self.values:
            name = self._add(Op.registry["Input"](shape=tuple(shape), dtype=fixed(text)))
            self.values[variable] = name
            self.inputs.append(Port(name, variable, self._axes(name)))
        name = self.values[variable]
        if self.types[name].shape == tuple(shape):
            return name
        if prod(self.types[name].shape) != prod(shape):
            raise UnusableError(f"the shape of {variable} is not known")
        return self._add(Op.registry["Reshape"](shape=tuple(shape)), name)

    def _weights(
        self, name: str, shape: tuple[int, ...], *, transposed: bool = False
    ) -> FixedArray:
        entry = self.point["weights"].get(name)
        if entry is None or entry["npz"] not in self.arrays:
            raise UnusableError("weights are not in the repository")
        raw = np.asarray(self.arrays[entry["npz"]], np.int64)
        if raw.size != prod(shape):
            raise UnusableError("weights of another shape")
        if transposed:
            raw = np.moveaxis(raw.reshape(shape[-1], *shape[:-1]), 0, -1)
        dtype = fixed(entry["type"])
        return FixedArray(overflow_raw(raw.reshape(shape), dtype), dtype)  # as C++ takes them

    def _bias(self, name: str, n: int) -> FixedArray:
        try:
            return self._weights(name, (n,))
        except UnusableError:
            return FixedArray(np.zeros(n, np.int64), FixedType(16, 6))

    def _call(self, call: Call) -> None:
        fn, args = call["fn"], list(call["args"])
        if fn in ("alias", "repack_stream", "clone_stream"):
            for variable in args[1:]:
                if args[0] in self.values:
                    self.values[variable] = self.values[args[0]]
            return
        settings = self.point["layers"].get(call.get("cfg") or "", {})
        if not settings and fn != "separable_conv_2d_cl":
            raise UnusableError(f"layer {fn} without a configuration")
        types = call.get("types", ())
        result = fixed(types[-1]) if len(types) > 1 else None
        two = fn in ("add", "subtract") or fn.startswith("concatenate")
        make = self._pair if two else self._one
        self.values[args[2 if two else 1]] = make(fn, settings, call, result)

    def _pair(self, fn: str, _c: Any, call: Call, result: FixedType | None) -> str:
        a, b = (self.values[v] for v in call["args"][:2])
        if not fn.startswith("concatenate"):
            kind = "Add" if fn == "add" else "Sub"
            return self._add(Op.registry[kind](result_t=result), a, b)
        if fn == "concatenate1d":
            a, b = (
                self._value(v, (self.types[self.values[v]].size,), None) for v in call["args"][:2]
            )
        axis = len(self.types[a].shape) - 1
        return self._add(Op.registry["Concat"](axis=axis, result_t=result), a, b)

    def _one(self, fn: str, c: Any, call: Call, result: FixedType | None) -> str:
        args, types = call["args"], call.get("types", ())
        text = types[0] if types else None
        if fn == "dense":
            return self._dense(c, args, self._value(args[0], (c["n_in"],), text), result)
        if "conv" in fn:
            return self._any_conv(fn, c, call, text, result)
        if "pool" in fn or fn.startswith("zeropad"):
            return self._spatial(fn, c, args, text, result)
        if fn not in (*PLAIN, *TABLES):
            raise UnusableError(f"layer {fn} is not in hwflow")
        known = self.values.get(args[0])
        n = int(c["n_in"])
        shape = self.types[known].shape if known else in_beats(n, text)
        x = self._value(args[0], shape, text)
        if fn == "normalize":
            n = shape[-1]
            scale, bias = self._weights(args[2], (n,)), self._bias(args[3], n)
            return self._add(Op.registry["ScaleBias"](scale=scale, bias=bias, result_t=result), x)
        op = activation(fn, c, result)
        return self._add(sharing(op, shape[-1], c) if self.streams else op, x)

    def _dense(self, c: Any, args: Sequence[str], x: str, result: FixedType | None) -> str:
        strategy = kernel_strategy(c)
        shape = (int(c["n_in"]), int(c["n_out"]))
        op = Op.registry["Dense"](
            weight=self._weights(args[2], shape, transposed=strategy == "resource"),
            bias=self._bias(args[3], shape[1]), accum_t=fixed(c.get("acc")), result_t=result,
            strategy=strategy, reuse_factor=int(c.get("reuse_factor") or 1),
        )  # fmt: skip
        return self._add(op, x)

    def _any_conv(self, fn: str, c: Any, call: Call, text: Any, result: FixedType | None) -> str:
        args, layers = call["args"], self.point["layers"]
        if fn == "separable_conv_2d_cl":
            cfg = call["cfg"]
            deep, point = layers[f"{cfg}_depthwise"], layers[f"{cfg}_pointwise"]
            x = self._value(args[0], map_shape(deep, 2), text)
            mid = self._conv(deep, (args[2], args[4]), 2, x, result, deep=True)
            return self._conv(
                {**point, "filt_height": 1, "filt_width": 1}, (args[3], args[5]), 2, mid, result
            )
        if fn not in (
            "conv_1d_cl", "conv_2d_cl", "pointwise_conv_1d_cl", "pointwise_conv_2d_cl",
            "depthwise_conv_2d_cl",
        ):  # fmt: skip
            raise UnusableError(f"layer {fn} is not stock hls4ml's")
        rank = 2 if "2d" in fn else 1
        c = {"filt_height": 1, "filt_width": 1, **c}
        x = self._value(args[0], map_shape(c, rank), text)
        return self._conv(c, (args[2], args[3]), rank, x, result, deep=fn.startswith("depth"))

    def _conv(
        self, c: Any, names: tuple[str, str], rank: int, x: str, result: FixedType | None,
        *, deep: bool = False,
    ) -> str:  # fmt: skip
        m = self.point["layers"].get(c.get("mult_config") or "", c)
        strategy = kernel_strategy({**c, **{k: v for k, v in m.items() if v}})
        kernel = tuple(int(c[k]) for k in ("filt_height", "filt_width")[-rank:])
        filters = int(c["n_chan"] if deep else c["n_filt"])
        shape = (*kernel, int(c["n_chan"]), *(() if deep else (filters,)))
        transposed = strategy == "resource" and not deep
        common: dict[str, Any] = {
            "weight": self._weights(names[0], shape, transposed=transposed),
            "bias": self._bias(names[1], filters),
            "strides": tuple(int(c.get(k) or 1) for k in ("stride_height", "stride_width")[-rank:]),
            "pads": pads_of(c, rank),
            "accum_t": fixed(m.get("acc") or c.get("acc")),
            "strategy": strategy,
            "reuse_factor": int(m.get("reuse_factor") or 1),
            "result_t": result,
        }
        if not self.streams:
            positions = prod(int(c[k]) for k in ("out_height", "out_width")[-rank:])
            parts = int(c.get("n_partitions") or 1)
            common["parallelization_factor"] = max(1, positions // max(parts, 1))
        if deep:
            return self._add(Op.registry["DepthwiseConv2D"](**common, groups=filters), x)
        return self._add(Op.registry[f"Conv{rank}D"](**common), x)

    def _spatial(
        self, fn: str, c: Any, args: Sequence[str], text: Any, result: FixedType | None
    ) -> str:
        rank = 2 if "2d" in fn else 1
        channels = int(c.get("n_filt") or c.get("n_chan"))
        sides = ("in_height", "in_width") if rank == 2 else ("n_in",)
        shape = tuple(int(c.get(s) or c.get("in_width") or 1) for s in sides)
        x = self._value(args[0], (*shape, channels), text)
        if fn.startswith("zeropad"):
            return self._add(
                Op.registry["Pad"](pads=(*pads_of(c, rank), (0, 0)), result_t=result), x
            )
        whole = "global" in fn
        window = tuple(int(c.get(k) or 1) for k in ("pool_height", "pool_width")[-rank:])
        strides = tuple(int(c.get(k) or 1) for k in ("stride_height", "stride_width")[-rank:])
        mean = re.search("avg|average", str(c.get("pool_op", "")).lower())
        op = Op.registry["AveragePool" if mean else "MaxPool"](
            kernel=shape if whole else window, strides=(1,) * rank if whole else strides,
            pads=((0, 0),) * rank if whole else pads_of(c, rank), squeeze=whole, result_t=result,
        )  # fmt: skip
        return self._add(op, x)


def kernel_strategy(c: Mapping[str, Any]) -> str:
    """Return the strategy of a layer; the ones that hwflow does not know are latency."""
    return "resource" if str(c.get("strategy")).lower() == "resource" else "latency"


def map_shape(c: Mapping[str, Any], rank: int) -> tuple[int, ...]:
    """Return the shape of a feature map that enters a convolution."""
    return (*(int(c[k]) for k in ("in_height", "in_width")[-rank:]), int(c["n_chan"]))


def pads_of(c: Mapping[str, Any], rank: int) -> tuple[tuple[int, int], ...]:
    """Return the padding before and behind each spatial axis."""
    sides = (("pad_top", "pad_bottom"), ("pad_left", "pad_right"))[-rank:]
    return tuple((int(c.get(a) or 0), int(c.get(b) or 0)) for a, b in sides)


def sharing(op: Op, classes: int, c: Mapping[str, Any]) -> Op:
    """Return a streamed softmax with as many multipliers as hls4ml's has: classes over RF."""
    if op.kind != "Softmax":
        return op
    multipliers = ceil(classes / int(c.get("reuse_factor") or 1))
    return replace(op, reuse_factor=classes // multipliers)  # type: ignore[call-arg]


def activation(fn: str, c: Mapping[str, Any], result: FixedType | None) -> Op:
    """Return the operator of an activation."""
    if fn in ("relu", "linear"):
        return Op.registry["Relu" if fn == "relu" else "Cast"](result_t=result)
    size = int(c.get("table_size") or 1024)
    if fn == "softmax":
        text = c.get("exp_table") or c.get("table") or {}
        table_t = FixedType(int(text.get("w") or 18), 1, False, Rounding.RND, Overflow.SAT)
        return Op.registry["Softmax"](
            table_size=int(c.get("exp_table_size") or size),
            inv_table_size=int(c.get("inv_table_size") or size), table_t=table_t, result_t=result,
        )  # fmt: skip
    kind, integer = TABLES[fn]
    width = int((c.get("table") or {}).get("w") or 18)
    table_t = FixedType(width, integer, kind == "Tanh", Rounding.TRN, Overflow.SAT)
    return Op.registry[kind](table_size=size, table_t=table_t, result_t=result)
