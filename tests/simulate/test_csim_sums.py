"""Sums of distributed arithmetic as tables: the same bits, and seconds instead of minutes."""

import importlib.util
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.codegen.project import Project
from hwflow.ops.shared.port_data import prepare_inputs
from hwflow.simulate import cpp
from hwflow.simulate.cpp import sums
from hwflow.simulate.cpp.sums import with_sums
from tests.fixtures import model
from tests.networks import Builder

GENERATED = "firmware/nnet_utils/nnet_code_gen.h"
HEAD = """template <typename inp_t, typename out_t>
void {name}(inp_t model_inp[4], out_t model_out[3]) {{ // a comment
"""
SEEDS = 3


def some_type(rng: np.random.Generator) -> str:
    width = int(rng.integers(5, 20))
    return f"ap_{'u' * int(rng.integers(2))}fixed<{width},{int(rng.integers(-2, 9))}>"


def statements(rng: np.random.Generator, count: int) -> str:
    """Return sums in every form that da4ml writes, of types that round and wrap."""
    lines = ["#pragma HLS INLINE"]
    lines += [f"{some_type(rng)} v{n} = model_inp[{n}]; // 0.0" for n in range(4)]

    def term(n: int) -> str:
        v, shift = int(rng.integers(n)), int(rng.integers(-6, 7))
        return f"v{v}" if shift == 0 else f"bit_shift<{shift}>(v{v})"

    for n in range(4, count):
        second = [f" + {term(n)}", f" - {term(n)}", " - ap_ufixed<5,3>(3.25)", ""][n % 4]
        sign = "-" * (n % 8 == 7)
        lines.append(f"{some_type(rng)} v{n} = {sign}v{int(rng.integers(n))}{second};")
    outs = [f"{some_type(rng)}(-{term(count)})", f"{some_type(rng)}({term(count)})", "0"]
    lines += [f"model_out[{n}] = {out};" for n, out in enumerate(outs)]
    return "\n    ".join(lines)


@pytest.mark.cpp
def test_the_table_computes_what_the_statements_compute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random sums, as hls4ml's headers compute them and as the table does, on random inputs."""
    monkeypatch.setattr(sums, "SHORTEST", 1)
    found = importlib.util.find_spec("hls4ml")
    assert found is not None
    assert found.origin is not None
    headers = Path(found.origin).parent / "templates" / "vivado"
    parts, calls = [], []
    for seed in range(SEEDS):
        body = statements(np.random.default_rng(seed), 24)
        names = f"text_{seed}", f"table_{seed}"
        codes = [f"{HEAD.format(name=n)}{body}\n}}\n" for n in names]
        made = with_sums(codes[1])
        assert "static const int rows" in made
        parts += [codes[0], made]
        calls.append(f"both<{names[0]}<in_t, out_t>, {names[1]}<in_t, out_t>>();")
    program = "\n".join([
        "#include <cstdio>", '#include "ap_fixed.h"', '#include "nnet_utils/nnet_function_stubs.h"',
        "using namespace nnet;",
        "typedef ap_fixed<9,4> in_t; typedef ap_fixed<12,7,AP_RND,AP_SAT> out_t;",
        *parts,
        "typedef void (*function)(in_t *, out_t *);",
        "template <function text, function table> void both() {",
        "  unsigned state = 1;",
        "  for (int n = 0; n < 500; n++) {",
        "    in_t x[4], y[4]; out_t a[3], b[3];",
        "    for (int i = 0; i < 4; i++) { state = state * 1664525u + 1013904223u;",
        "      x[i].range() = y[i].range() = state >> 20; }",
        "    text(x, a); table(y, b);",
        "    for (int i = 0; i < 3; i++)",
        '      std::printf("%g %g\\n", a[i].to_double(), b[i].to_double());',
        "  }", "}", "int main() {", *calls, "}",
    ])  # fmt: skip
    (tmp_path / "both.cpp").write_text(program)
    includes = [f"-I{headers}", f"-I{headers / 'ap_types'}"]
    line = ["g++", "-std=c++17", "-O0", "-w", *includes, "both.cpp", "-o", "both"]
    subprocess.run(line, cwd=tmp_path, check=True)
    result = subprocess.run(["./both"], cwd=tmp_path, check=True, capture_output=True, text=True)
    pairs = np.array(result.stdout.split(), np.float64).reshape(SEEDS, 500, 3, 2)
    assert np.array_equal(pairs[..., 0], pairs[..., 1])
    assert sum(len(np.unique(pairs[s, :, i, 0])) for s in range(SEEDS) for i in range(2)) > 50


def wide(bits: int = 16) -> hwflow.Design:
    """Return a dense layer of 16 inputs and 8 outputs in distributed arithmetic, with a bias."""
    b = Builder(np.random.default_rng(0))
    out = b.node(
        "Gemm", [b.quant("x", 8, 1 / 16, signed=True), b.weight((16, 8), bits, 2.0**-8), b.bias(8)]
    )
    b.nodes[-1].name = "fc"
    return hwflow.compile(model(b, out, (1, 16), (1, 8)), strategy="distributed_arithmetic")


@pytest.mark.cpp
def test_wide_weights_compile_in_seconds_and_edits_are_simulated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As da4ml writes it, g++ needs 20 s and 0.9 GB for it."""
    monkeypatch.setenv("HWFLOW_CXX_MEMORY", "500")
    design = wide()
    text = design.project.text(GENERATED)
    function = text[text.index("template <typename inp_t, typename out_t>\nvoid dense_da_") :]
    function = function[: function.index("\n}\n") + 2]
    assert "static const int rows" in with_sums(function)
    x = np.random.default_rng(1).integers(-128, 128, (50, 16)) / 16
    found = design.verify(x)
    assert found.faithful is not None
    assert found.faithful.mismatches == 0
    at = re.search(r"model_out\[3\] = ap_fixed<\d+,\d+>\((-?)", text)
    assert at is not None
    edited = text[: at.start(1)] + ("" if at[1] else "-") + text[at.end(1) :]
    files = {**design.project.files, GENERATED: edited.encode()}
    data = prepare_inputs(design.graph, {"x": x})
    name = design.graph.outputs[0].value
    results = [
        cpp.build(design.graph, project, design.target).run(data).layers[name]
        for project in (design.project, Project(design.project.name, files))
    ]
    assert (results[1] != results[0]).any(axis=0).tolist() == [n == 3 for n in range(8)]
    assert np.array_equal(results[1][:, 3], -results[0][:, 3])


@pytest.mark.parametrize(("old", "new"), [
    ("v5 = ", "v5 = 2 * "),
    ("ap_fixed<", "ap_fixed<7,3,AP_RND> v99 = v0; ap_fixed<"),
    ("v5 = ", "v4 = "),
    ("model_inp[0]", "model_inp[0] + model_inp[1]"),
    ("model_out[2] = 0", "model_out[2] = v77"),
    ("fixed<", "fixed<63,5> v99 = v0; ap_fixed<"),
])  # fmt: skip
def test_what_is_not_understood_stays(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "SHORTEST", 1)
    body = statements(np.random.default_rng(0), 24)
    code = f"{HEAD.format(name='f')}    {body}\n}}"
    assert with_sums(code) != code
    assert old in code
    edited = code.replace(old, new, 1)
    assert with_sums(edited) == edited


def test_short_sums_and_other_code_stay() -> None:
    code = f"{HEAD.format(name='f')}    {statements(np.random.default_rng(0), 24)}\n}}"
    assert with_sums(code) == code
    assert with_sums("struct x {};") == "struct x {};"
