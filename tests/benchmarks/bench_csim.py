"""Time to build the C++ simulation, against hls4ml's own ``compile()`` of the same network.

Part of ``python -m tests.benchmarks.bench``. hls4ml's time is that of its ``build_lib.sh`` alone,
without the writing that ``compile()`` does first. Its library writes no traces; hwflow's program
writes every layer. "new machine" has to precompile the headers, which all later builds use; "one
layer changed" is a build after the type of one accumulator has changed.
"""

import re
import shutil
from collections.abc import Iterator

from hwflow.codegen.project import Project
from hwflow.project.design import Design
from hwflow.simulate import cpp
from hwflow.simulate.cpp.cache import LAYERS, OBJECTS, PROGRAMS
from tests.benchmarks.hls4ml_model import Hls4mlModel
from tests.benchmarks.networks import Network
from tests.benchmarks.table import Row
from tests.benchmarks.timing import seconds

ROUNDS = 2
"""Each time is the shortest of these."""

TEN_LAYERS = 10
"""From how many on one changed layer is one of ten."""


def with_one_layer_changed(project: Project) -> Project:
    """Return a project with one more bit in the accumulator of the layer in the middle."""
    path = "firmware/defines.h"
    text = project.text(path)
    found = list(re.finditer(r"typedef ap_fixed<(\d+),(-?\d+)> \w+_accum_t;", text))
    accumulator = found[len(found) // 2]
    wider = f"ap_fixed<{int(accumulator[1]) + 1},{int(accumulator[2]) + 1}>"
    line = re.sub(r"ap_fixed<.*?>", wider, accumulator[0])
    return Project(
        project.name, {**project.files, path: text.replace(accumulator[0], line).encode()}
    )


def build_times(design: Design, theirs: Hls4mlModel) -> dict[str, float]:
    """Return seconds by kind of build; the cache in use has to be empty."""
    changed = with_one_layer_changed(design.project)

    def build(project: Project) -> float:
        return seconds(lambda: cpp.build(design.graph, project, design.target))

    best = {"new machine": build(design.project)}
    theirs.write()
    for _ in range(ROUNDS):
        for shelf in (LAYERS, OBJECTS, PROGRAMS):
            shutil.rmtree(shelf.path(""))
        times = {"hls4ml": theirs.compile(), "first": build(design.project)}
        times |= {"one layer changed": build(changed), "cached": build(changed)}
        best |= {name: min(t, best.get(name, t)) for name, t in times.items()}
    return best


def rows(network: Network, design: Design, theirs: Hls4mlModel) -> Iterator[Row]:
    """Measure one network; the cache in use has to be empty."""
    times = build_times(design, theirs)
    compared = times.pop("hls4ml")
    limits: dict[str, float] = {"first": 1 / 3}
    if network.layers >= TEN_LAYERS:
        limits["one layer changed"] = 1 / 10
    for kind, took in times.items():
        measured = f"csim build, {kind}"
        most = limits.get(kind)
        yield Row(network.name, measured, took, "s", "hls4ml compile()", compared, most=most)
