"""What generated C++ does with its streams, as the C++ itself records it.

The generated project is compiled as it is, with another ``hls_stream.h``: a queue that writes down
every read and write. Nothing here knows what hwflow states about operators.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hwflow.codegen.hls.model import generate
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target

STREAM = """
#pragma once
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
namespace hls {
template <class T> class stream {
    std::deque<T> queue;
    std::string name;
    void note(char what) { if (!name.empty()) std::printf("%c %s\\n", what, name.c_str()); }
  public:
    stream() {}
    stream(const char *name) : name(name) {}
    stream(const std::string name) : name(name) {}
    T read() {
        note('r');
        if (queue.empty()) { std::printf("empty %s\\n", name.c_str()); std::exit(1); }
        T x = queue.front();
        queue.pop_front();
        return x;
    }
    void read(T &x) { x = read(); }
    void write(const T &x) { note('w'); queue.push_back(x); }
    void supply(const T &x) { queue.push_back(x); }
    bool empty() const { return queue.empty(); }
    size_t size() const { return queue.size(); }
    stream<T> &operator>>(T &x) { read(x); return *this; }
    stream<T> &operator<<(const T &x) { write(x); return *this; }
};
} // namespace hls
"""

CALL = re.compile(r"^ +(?:nnet::)?\w+(?:<.*>)?\((\w[^;]*)\); // (\w+)$", re.MULTILINE)
PRAGMA = re.compile(r"#pragma HLS STREAM variable=(\w+) depth=(\d+)")
PORT = re.compile(r"hls::stream<(\w+)> &(\w+)")


@dataclass(frozen=True)
class Recording:
    """What ran.

    Attributes:
        streams: for each process the names of the streams in its call, in order.
        events: for each process its reads and writes, each ``r`` or ``w`` with the stream.
        depths: the depth of each stream in its pragma.
    """

    streams: dict[str, list[str]]
    events: dict[str, list[str]]
    depths: dict[str, int]


def record(graph: Graph, target: Target, folder: Path) -> Recording:
    """Return what the C++ of a graph does in one inference; values are all 0."""
    project = generate(graph, target)
    project.write(folder / "project")
    firmware = folder / "project" / "firmware"
    (firmware / "ap_types" / "hls_stream.h").write_text(STREAM)
    code = project.text(f"firmware/{graph.name}.cpp")
    ports, inputs = _ports(graph, code)
    (folder / "main.cpp").write_text(main_program(graph, code))
    log = _run(folder, firmware)
    known = {name: name for _, name in ports}
    known |= {name: name for name in re.findall(r'hls::stream<\w+> (\w+)\("', code)}
    known |= {view: known[name] for view, name in re.findall(r"auto& (\w+) = (\w+);", code)}
    streams = {
        process: [known[arg] for arg in re.split(r"[,\s]+", arguments) if arg in known]
        for arguments, process in CALL.findall(code)
    }
    depths = {name: int(depth) for name, depth in PRAGMA.findall(code)}
    return Recording(streams, _by_process(log, streams, inputs), depths)


def _ports(graph: Graph, code: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Return type and name of the top function's ports, and the names of its inputs."""
    head = code[: code.index("// hls-fpga-machine-learning insert IO")]
    ports = PORT.findall(head[head.index(f"void {graph.name}(") :])
    return ports, [name for _, name in ports[: len(graph.inputs)]]


def main_program(graph: Graph, code: str) -> str:
    """Return a program that calls a top function once, with all values 0."""
    ports, inputs = _ports(graph, code)
    lines = [
        f'#include "firmware/{graph.name}.cpp"',
        "namespace nnet {",
        "bool trace_enabled = false;",
        "std::map<std::string, void *> *trace_outputs = NULL;",
        "size_t trace_type_size = 8;",
        "} // namespace nnet",
        "int main() {",
    ]
    lines += [f'    hls::stream<{kind}> {name}("{name}");' for kind, name in ports]
    for name, port in zip(inputs, graph.inputs, strict=True):
        kind = next(kind for kind, found in ports if found == name)
        tokens = graph.types[port.value].size // graph.types[port.value].channels
        lines.append(f"    for (int i = 0; i < {tokens}; i++) {name}.supply({kind}());")
    lines += [f"    {graph.name}({', '.join(name for _, name in ports)});", "    return 0;", "}"]
    return "\n".join(lines)


def _run(folder: Path, firmware: Path) -> list[str]:
    weights = f'-DWEIGHTS_DIR="{firmware / "weights"}"'
    command = [
        "g++", "-std=c++17", "-O0", "-w", weights, f"-I{folder / 'project'}", f"-I{firmware}",
        f"-I{firmware / 'ap_types'}", "main.cpp", "-o", "run",
    ]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True, timeout=600)
    done = subprocess.run(
        ["./run"], cwd=folder, check=True, timeout=60, capture_output=True, text=True
    )
    return done.stdout.splitlines()


def _by_process(
    log: Sequence[str], streams: dict[str, list[str]], inputs: Sequence[str]
) -> dict[str, list[str]]:
    """Return the events of each process: the first call with a stream writes it, the next reads."""
    writer: dict[str, str] = dict.fromkeys(inputs, "")
    reader: dict[str, str] = {}
    for process, names in streams.items():
        for name in names:
            (reader if name in writer else writer)[name] = process
    found: dict[str, list[str]] = {process: [] for process in streams}
    for line in log:
        what, name = line.split()
        found[(writer if what == "w" else reader)[name]].append(line)
    return found
