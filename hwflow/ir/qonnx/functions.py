"""Quantisers as ONNX functions in standard operators, so that any ONNX runtime executes them.

The text follows the QONNX operator definitions step by step in float32, from opset 9 on; what is
written here is independent of ``quantizer.py``, and tests compare the two and qonnx's own executor.
"""

from __future__ import annotations

import onnx

from hwflow.fixed import Overflow, Rounding
from hwflow.ir.qonnx import fixed_quant
from hwflow.ir.qonnx.model import QONNX_DOMAIN
from hwflow.ir.qonnx.quantizer import ALIASES

_DOMAIN = "hwflow.quantizers"

_HALF_EVEN = """
    {p}floor = Floor({x})
    {p}rest = Sub({x}, {p}floor)
    {p}halved = Mul({p}floor, half)
    {p}even = Floor({p}halved)
    {p}twice = Add({p}even, {p}even)
    {p}lowest = Sub({p}floor, {p}twice)
    {p}odd = Greater({p}lowest, half)
    {p}below = Less({p}rest, half)
    {p}reaches = Not({p}below)
    {p}tie_up = And({p}reaches, {p}odd)
    {p}above = Greater({p}rest, half)
    {p}goes_up = Or({p}above, {p}tie_up)
    {p}step = Cast <to = 1> ({p}goes_up)
    {y} = Add({p}floor, {p}step)"""
"""Round half to even in exact float32 steps; the operator ``Round`` exists since opset 11 only."""

_MAGNITUDE = """
    sign = Sign({x})
    size = Abs({x})
    whole = Floor(size)
    rest = Sub(size, whole)"""

_ROUNDING = {
    "ROUND": _HALF_EVEN.replace("{p}", "r_"),
    "FLOOR": "{y} = Floor({x})",
    "CEIL": "{y} = Ceil({x})",
    "DOWN": _MAGNITUDE + "\n{y} = Mul(sign, whole)",
    "UP": _MAGNITUDE + "\nup = Ceil(size)\n{y} = Mul(sign, up)",
    "HALF_UP": _MAGNITUDE
    + """
    below = Less(rest, half)
    away = Not(below)
    step = Cast <to = 1> (away)
    moved = Add(whole, step)
    {y} = Mul(sign, moved)""",
    "HALF_DOWN": _MAGNITUDE
    + """
    away = Greater(rest, half)
    step = Cast <to = 1> (away)
    moved = Add(whole, step)
    {y} = Mul(sign, moved)""",
}

_CONSTANTS = """
    one = Constant <value = float {1.0}> ()
    two = Constant <value = float {2.0}> ()
    half = Constant <value = float {0.5}> ()
    zero = Constant <value = float {0.0}> ()"""

_BIPOLAR = """
    negative = Less({x}, zero)
    minus_one = Neg(one)
    {y} = Where(negative, minus_one, one)"""


def add_quantizer_functions(proto: onnx.ModelProto) -> None:
    """Turn the quantisers of a model into calls of functions, one for each set of attributes.

    Args:
        proto: changed in place; its opset must be 9 or newer.
    """
    opset = next(o.version for o in proto.opset_import if not o.domain)
    functions: dict[str, onnx.FunctionProto] = {}
    defined = {(f.domain, f.name) for f in proto.functions}
    for node in proto.graph.node:
        if (node.domain, node.op_type) == (fixed_quant.DOMAIN, fixed_quant.OP):
            if (node.domain, node.op_type) not in defined:
                _define_fixed(node, functions, opset)
            continue
        if node.domain != QONNX_DOMAIN or node.op_type not in _BODIES:
            continue
        attrs = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        mode = attrs.get("rounding_mode", b"FLOOR" if node.op_type == "Trunc" else b"ROUND")
        mode = ALIASES.get(mode.decode().upper(), mode.decode().upper())
        signed, narrow = bool(attrs.get("signed", 1)), bool(attrs.get("narrow", 0))
        count = len(node.input)
        name = f"{node.op_type}{count}_{mode}_{'s' if signed else 'u'}{'n' if narrow else ''}"
        if name not in functions:
            head = f'<opset_import: ["" : {opset}], domain: "{_DOMAIN}">\n'
            text = head + _BODIES[node.op_type](name, count, mode, signed, narrow)
            functions[name] = onnx.parser.parse_function(text)
        node.op_type, node.domain = name, _DOMAIN
        del node.attribute[:]
    proto.functions.extend(functions.values())
    proto.opset_import.add(domain=_DOMAIN, version=1)
    proto.ir_version = min(max(proto.ir_version, 8), 10)  # functions exist since IR version 8


def _define_fixed(
    node: onnx.NodeProto, functions: dict[str, onnx.FunctionProto], opset: int
) -> None:
    """Turn a ``FixedQuant`` that the model does not define into a call of its function."""
    modes = {a.name: onnx.helper.get_attribute_value(a).decode() for a in node.attribute}
    rounding, overflow = Rounding(modes["rounding_mode"]), Overflow(modes["overflow_mode"])
    name = f"{fixed_quant.OP}_{rounding}_{overflow}"
    if name not in functions:
        functions[name] = fixed_quant.function_of_modes(name, _DOMAIN, rounding, overflow, opset)
    node.op_type, node.domain = name, _DOMAIN
    del node.attribute[:]


def _raw(*names: str) -> str:
    """Return parameters of a function, of whatever element type the model has them in."""
    return ", ".join(f"{name}_raw" for name in names)


def _cast(*names: str) -> str:
    """Return the text that brings parameters to float32; some exporters write integers."""
    return "\n".join(f"{name} = Cast <to = 1> ({name}_raw)" for name in names)


def _limits(signed: bool, narrow: bool) -> str:
    """Return the text that computes ``lowest`` and ``highest`` from the bit width ``b``."""
    if signed:
        lowest = "most = Neg(half_range)\nlowest = " + (
            "Add(most, one)" if narrow else "Add(most, zero)"
        )
        half = "b_1 = Sub(b, one)\nhalf_range = Pow(two, b_1)"
        return f"{half}\nhighest = Sub(half_range, one)\n{lowest}"
    top = "all = Pow(two, b)\ntop = Sub(all, one)\nhighest = "
    return top + ("Sub(top, one)" if narrow else "Add(top, zero)") + "\nlowest = Add(zero, zero)"


def _quant(name: str, _count: int, mode: str, signed: bool, narrow: bool) -> str:
    """Return ``Quant`` as text: scale, add the zero point, clamp, round, scale back."""
    rounded = _ROUNDING[mode].format(x="clamped", y="rounded")
    select = "levels = Add(rounded, zero)"
    if signed:
        sign = _BIPOLAR.format(x="shifted", y="bipolar")
        select = f"{sign}\nwide = Greater(b, one)\nlevels = Where(wide, rounded, bipolar)"
    return f"""{name} (x, {_raw("s", "z", "b")}) => (y) {{ {_CONSTANTS}
        {_cast("s", "z", "b")}
        scaled = Div(x, s)
        shifted = Add(scaled, z)
        {_limits(signed, narrow)}
        capped = Min(shifted, highest)
        clamped = Max(capped, lowest)
        {rounded}
        {select}
        whole_levels = Sub(levels, z)
        y = Mul(whole_levels, s)
    }}"""


def _bipolar(name: str, _count: int, _mode: str, _signed: bool, _narrow: bool) -> str:
    """Return ``BipolarQuant`` as text: the sign, where zero counts as positive, times scale."""
    sign = _BIPOLAR.format(x="x", y="sign")
    return (
        f"{name} (x, {_raw('s')}) => (y) {{ {_CONSTANTS}\n{_cast('s')}\n{sign}\ny = Mul(sign, s) }}"
    )


def _trunc(name: str, count: int, mode: str, signed: bool, narrow: bool) -> str:
    """Return ``Trunc`` as text, version 1 (five inputs) or 2 (six)."""
    whole = _HALF_EVEN.format(p="i_", x="shifted", y="whole_x")
    rounded = _ROUNDING[mode]
    start = f"{_CONSTANTS}\nscaled = Div(x, s)\nshifted = Add(scaled, z)\n{whole}"
    if count == 5:
        return f"""{name} (x, {_raw("s", "z", "b_in", "b")}) => (y) {{
            {_cast("s", "z", "b_in", "b")}
            {start}
            bits = Sub(b_in, b)
            divisor = Pow(two, bits)
            divided = Div(whole_x, divisor)
            {rounded.format(x="divided", y="rounded")}
            levels = Sub(rounded, z)
            y = Mul(levels, s)
        }}"""
    return f"""{name} (x, {_raw("s", "z", "b_in", "s_out", "b")}) => (y) {{
        {_cast("s", "z", "s_out", "b")}
        {start}
        ratio = Div(s_out, s)
        log_ratio = Log(ratio)
        log_two = Log(two)
        log2_ratio = Div(log_ratio, log_two)
        {_HALF_EVEN.format(p="b_", x="log2_ratio", y="bits")}
        divisor = Pow(two, bits)
        divided = Div(whole_x, divisor)
        {_limits(signed, narrow)}
        capped = Min(divided, highest)
        clamped = Max(capped, lowest)
        {rounded.format(x="clamped", y="rounded")}
        z_out = Div(z, divisor)
        levels = Sub(rounded, z_out)
        y = Mul(levels, s_out)
    }}"""


_BODIES = {"Quant": _quant, "BipolarQuant": _bipolar, "Trunc": _trunc}
