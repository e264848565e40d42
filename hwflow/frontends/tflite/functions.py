"""What TFLite's integer kernels compute, as functions in standard ONNX operators on int64.

Any ONNX runtime executes them. Values are whole numbers in float32, the mantissas of TFLite less
their zero point; constants are int64 and lie along the last axis.
"""

from __future__ import annotations

import onnx

from hwflow.ops.requantize import TFLITE

OPSET = 18
"""Version of the standard operators in the bodies."""

_CLAMP = """
    zero_point = Constant <value_int : int = @zero_point> ()
    lowest = Constant <value_int : int = @minimum> ()
    highest = Constant <value_int : int = @maximum> ()
    moved = Add(rounded, zero_point)
    above = Max(moved, lowest)
    clamped = Min(above, highest)
    y = Cast <to = 1> (clamped)
"""

_TWICE = """
    none = Constant <value_int = 0> ()
    two = Constant <value_int = 2> ()
    opposite = Neg(shift)
    up = Max(shift, none)
    down = Max(opposite, none)
    grown = Pow(two, up)
    shrunk = Pow(two, down)
    larger = Mul(n, grown)
    product = Mul(larger, multiplier)
    half_point = Constant <value_int = 1073741824> ()
    point = Constant <value_int = 2147483648> ()
    raised = Add(product, half_point)
    below = Mod(raised, point)
    whole = Sub(raised, below)
    high = Div(whole, point)
    size = Abs(high)
    half = Div(shrunk, two)
    nearest = Add(size, half)
    steps = Div(nearest, shrunk)
    side = Sign(high)
    rounded = Mul(steps, side)
"""

_DOUBLE = """
    wide = Cast <to = 11> (n)
    product = Mul(wide, factor)
    size = Abs(product)
    whole = Floor(size)
    rest = Sub(size, whole)
    tie = Constant <value = double {0.5}> ()
    reaches = GreaterOrEqual(rest, tie)
    one_more = Cast <to = 11> (reaches)
    nearest = Add(whole, one_more)
    side = Sign(product)
    real = Mul(nearest, side)
    rounded = Cast <to = 7> (real)
"""

_BODIES = {
    "Requantize": (
        "<zero_point, minimum, maximum> (x, bias, multiplier, shift)",
        "m = Cast <to = 7> (x)\n n = Add(m, bias)" + _TWICE + _CLAMP,
    ),
    "Rescale": (
        "<zero_point, minimum, maximum> (x, bias, factor)",
        "m = Cast <to = 7> (x)\n n = Add(m, bias)" + _DOUBLE + _CLAMP,
    ),
    "Add": (
        "<first_a, first_b, zero_point, minimum, maximum> "
        "(a, b, table_a, table_b, multiplier, shift)",
        """
    int_a = Cast <to = 7> (a)
    int_b = Cast <to = 7> (b)
    start_a = Constant <value_int : int = @first_a> ()
    start_b = Constant <value_int : int = @first_b> ()
    at_a = Sub(int_a, start_a)
    at_b = Sub(int_b, start_b)
    fine_a = Gather(table_a, at_a)
    fine_b = Gather(table_b, at_b)
    n = Add(fine_a, fine_b)
"""
        + _TWICE
        + _CLAMP,
    ),
    "Table": (
        "<first> (x, table)",
        """
    n = Cast <to = 7> (x)
    start = Constant <value_int : int = @first> ()
    at = Sub(n, start)
    found = Gather(table, at)
    y = Cast <to = 1> (found)
""",
    ),
    "Tables": (
        "(x, table, first)",
        """
    n = Cast <to = 7> (x)
    at = Sub(n, first)
    found = Gather(table, at)
    y = Cast <to = 1> (found)
""",
    ),
    "Mean": (
        "<offset, zero_point, minimum, maximum> (x, count)",
        """
    two = Constant <value_int = 2> ()
    sum = Cast <to = 7> (x)
    offset = Constant <value_int : int = @offset> ()
    shifted = Mul(count, offset)
    total = Add(sum, shifted)
    size = Abs(total)
    half = Div(count, two)
    nearest = Add(size, half)
    steps = Div(nearest, count)
    side = Sign(total)
    rounded = Mul(steps, side)
"""
        + _CLAMP,
    ),
    "Whole": ("(x)", "real = Cast <to = 1> (x)\n y = Round(real)"),
    "WindowSum": (
        "<kernel_shape, strides, pads, elements> (x)",
        """
    mean = AveragePool <kernel_shape : ints = @kernel_shape, strides : ints = @strides,
                        pads : ints = @pads, count_include_pad = 1> (x)
    elements = Constant <value_float : float = @elements> ()
    sum = Mul(mean, elements)
    y = Round(sum)
""",
    ),
}


def functions(names: set[str]) -> list[onnx.FunctionProto]:
    """Return the functions of these names, in the domain ``hwflow.tflite``."""
    head = f'<opset_import: ["" : {OPSET}], domain: "{TFLITE}">'
    return [
        onnx.parser.parse_function(
            f"{head}\n{name} {_BODIES[name][0]} => (y) {{\n{_BODIES[name][1]}\n}}"
        )
        for name in sorted(names)
    ]
