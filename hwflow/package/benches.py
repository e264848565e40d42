"""The benches that a block brings along, and the proof that they pass before it is written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hwflow.core import toolchain
from hwflow.core.errors import ToolError
from hwflow.core.machine import cores
from hwflow.core.resources import templates_dir
from hwflow.core.toolchain import Limits
from hwflow.package.description import Description
from hwflow.package.registers import WINDOW
from hwflow.package.wrapper import rendered

WORDS = 1_000_000
"""Words that go through the ports of a block among stalling neighbours."""

MODEL = ("ap_axi_sdata.h", "hls_stream.h", "processes.h")
"""What takes the place of the headers of HLS tools; a bench never waits for what does not come."""

FLAGS = (
    "-std=c++11",
    "-O1",
    "-w",
    '-DWEIGHTS_DIR="hls/firmware/weights"',
)
INCLUDES = ("-Itb", "-Ihls", "-Itb/model", "-Ihls/firmware/ap_types")
"""Flags of g++, which the block's Makefile has, too."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Outcome:
    """What became of the benches.

    Attributes:
        passed: whether all passed.
        lines: what each said last.
    """

    passed: bool
    lines: tuple[str, ...]


def bench_files(description: Description, names: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of the benches by path in the block's folder.

    Args:
        description: the block.
        names: what its templates refer to.
    """
    ports = [p.port.name for p in names["ports"]]
    registers = [r for r in description.registers if r.name not in ports]
    names = {
        **names,
        "registers_in_c": [r.name for r in registers],
        "call_arguments": ", ".join(
            [
                *(f"{p}_" for p in ports),
                *(f"{'&' * (r.access == 'r')}{r.name}" for r in registers),
                *([WINDOW] if description.reload else []),
            ]
        ),
        "frames_register": next((r.name for r in registers if r.name.startswith("frames")), ""),
    }
    benches = benches_of(description)
    files = {f"tb/{name}.cpp": rendered(f"{name}.cpp.j2", names) for name in benches}
    files["tb/frames.h"] = rendered("frames.h.j2", names)
    model = templates_dir() / "package" / "model"
    files |= {f"tb/model/{name}": (model / name).read_bytes() for name in MODEL}
    return files


def benches_of(description: Description) -> tuple[str, ...]:
    """Return the names of a block's benches."""
    return ("test_bench", "stalls") if description.interface == "axis" else ("test_bench",)


def run_benches(
    description: Description,
    files: Mapping[str, bytes],
    words: int,
    progress: Progress,
    *,
    only: str = "",
) -> Outcome:
    """Compile a block's benches in a folder of their own, and run them.

    Args:
        description: the block.
        files: its files by path.
        words: how many go through its ports among stalling neighbours.
        progress: called as stages go on.
        only: name of the bench to run; all of them where it is empty.

    Raises:
        ToolError: g++ is missing, or the C++ does not compile.
    """
    benches = [only] if only else list(benches_of(description))
    with tempfile.TemporaryDirectory(prefix="hwflow-package-") as name:
        folder = Path(name)
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        progress("compile benches", 0.0)
        _compile(description, folder, benches)
        progress("compile benches", 1.0)
        outcomes = []
        for bench in benches:
            progress(bench.replace("_", " "), 0.0)
            arguments = ["vectors", str(words)] if bench == "stalls" else ["vectors"]
            outcomes.append(_run(folder / bench, arguments, folder))
            progress(bench.replace("_", " "), 1.0)
    return Outcome(all(ok for ok, _ in outcomes), tuple(line for _, line in outcomes))


def _compile(description: Description, folder: Path, benches: Sequence[str]) -> None:
    """Compile each file of C++ once, and link the benches; the network is in all of them."""
    sources = {
        "network.o": f"hls/firmware/{description.name}.cpp",
        "block.o": f"hls/{description.top}.cpp",
        **{f"{bench}.o": f"tb/{bench}.cpp" for bench in benches},
    }
    toolchain.side_by_side(
        [partial(_build, folder, o, ["-c", source]) for o, source in sources.items()], cores()
    )
    for bench in benches:
        block = ["block.o"] if bench == "test_bench" else []  # the other one includes it
        _build(folder, bench, [f"{bench}.o", *block, "network.o"])


def _build(folder: Path, out: str, arguments: Sequence[str]) -> None:
    toolchain.run(
        toolchain.CXX,
        [*FLAGS, *INCLUDES, *arguments, "-o", out],
        cwd=folder,
        limits=Limits(900, 4000, too_slow="package a smaller network"),
        what=f"compiling {out} of the benches",
    )


def _run(program: Path, arguments: Sequence[str], folder: Path) -> tuple[bool, str]:
    """Return whether a bench passed, and what it said."""
    limits = Limits(3600, too_slow="package a smaller network")
    try:
        done = toolchain.run_program(
            program, arguments, cwd=folder, limits=limits, what=f"the bench {program.name}"
        )
    except ToolError as error:
        if error.code not in ("HW604", "HW605"):
            raise
        return False, f"{program.name}: {error.log.strip() or error.message}"
    return True, f"{program.name}: {done.stdout.strip()}"
