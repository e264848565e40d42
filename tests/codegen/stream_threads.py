"""Generated C++ as a dataflow region: a thread for each process, FIFOs of the given depths.

The kernels are compiled as they are. A stream blocks its reader while it is empty and its writer
while it is full. When all threads are blocked, the design has locked.
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from hwflow.codegen.hls.model import generate
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from tests.codegen.stream_record import CALL, main_program

STREAM = """
#pragma once
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <string>
namespace hls {
struct region {
    std::mutex lock;
    std::condition_variable moved;
    std::map<std::string, size_t> depths;
    size_t alive = 0, blocked = 0, turn = 0;
    void check() {
        if (alive && blocked == alive) {
            std::printf("locked");
            std::fflush(stdout);
            std::_Exit(3);
        }
    }
    template <class F> void until(std::unique_lock<std::mutex> &held, F ready) {
        while (!ready()) {
            const size_t before = turn;
            blocked++;
            check();
            moved.wait(held, [&] { return turn != before; });
        }
    }
    void go_on() {
        turn++;
        blocked = 0; // all look again
        moved.notify_all();
    }
    void end() {
        std::unique_lock<std::mutex> held(lock);
        alive--;
        check();
    }
};
inline region &here() { static region found; return found; }
template <class T> class stream {
    std::deque<T> queue;
    std::string name;
  public:
    stream() {}
    stream(const char *name) : name(name) {}
    T read() {
        std::unique_lock<std::mutex> held(here().lock);
        here().until(held, [&] { return !queue.empty(); });
        T x = queue.front();
        queue.pop_front();
        here().go_on();
        return x;
    }
    void read(T &x) { x = read(); }
    void write(const T &x) {
        std::unique_lock<std::mutex> held(here().lock);
        const auto depth = here().depths.find(name);
        const bool bounded = depth != here().depths.end();
        here().until(held, [&] { return !bounded || queue.size() < depth->second; });
        queue.push_back(x);
        here().go_on();
    }
    void supply(const T &x) { queue.push_back(x); }
    bool empty() const { return queue.empty(); }
    size_t size() const { return queue.size(); }
};
} // namespace hls
"""

REGION = """
#include <fstream>
#include <functional>
#include <thread>
#include <vector>
static std::vector<std::function<void()>> processes;
static void run_processes() {
    std::ifstream file("depths.txt");
    std::string name;
    for (size_t depth; file >> name >> depth;)
        hls::here().depths[name] = depth;
    hls::here().alive = processes.size();
    std::vector<std::thread> threads;
    for (auto &process : processes)
        threads.emplace_back([&process] { process(); hls::here().end(); });
    for (auto &thread : threads)
        thread.join();
    std::printf("ended");
}
"""


class Region:
    """The compiled C++ of a graph, to be run with FIFOs of any depths."""

    def __init__(self, graph: Graph, target: Target, folder: Path) -> None:
        project = generate(graph, target)
        project.write(folder / "project")
        firmware = folder / "project" / "firmware"
        (firmware / "ap_types" / "hls_stream.h").write_text(STREAM)
        code = project.text(f"firmware/{graph.name}.cpp")
        (firmware / f"{graph.name}.cpp").write_text(_in_threads(code))
        (folder / "main.cpp").write_text(main_program(graph, code))
        weights = f'-DWEIGHTS_DIR="{firmware / "weights"}"'
        command = [
            "g++", "-std=c++17", "-O0", "-w", "-pthread", weights, f"-I{folder / 'project'}",
            f"-I{firmware}", f"-I{firmware / 'ap_types'}", "main.cpp", "-o", "run",
        ]  # fmt: skip
        subprocess.run(command, cwd=folder, check=True, timeout=600)
        self.folder = folder

    def locks(self, depths: Mapping[str, int]) -> bool:
        """Return whether one inference locks with depths by the names of streams in the C++."""
        lines = [f"{name} {depth}" for name, depth in depths.items()]
        (self.folder / "depths.txt").write_text("\n".join(lines))
        done = subprocess.run(
            ["./run"], cwd=self.folder, timeout=120, capture_output=True, text=True
        )
        assert done.stdout in ("locked", "ended"), done
        return done.stdout == "locked"


def _in_threads(code: str) -> str:
    """Return the top function with each call as a process of its own."""
    called = CALL.sub(
        lambda m: f"    processes.push_back([&] {{ {m[0].split(' // ')[0].strip()} }});", code
    )
    last = called.rindex("}")
    return REGION.join(["#include <hls_stream.h>\n", called[:last]]) + "    run_processes();\n}\n"


def _as_process(call: re.Match[str]) -> str:
    statement = call[0].rpartition(" // ")[0].strip()
    return f"    processes.push_back([&] {{ {statement} }});"
