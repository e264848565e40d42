"""Times of calls, and the memory of processes."""

import re
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def shortest(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the shortest time of each call, in seconds.

    Each round makes every call once, so that what slows the machine down meets all of them. The
    shortest time is the one that other processes disturbed least.
    """
    times: dict[str, float] = {}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name] = min(seconds(run), times.get(name, float("inf")))
    return times


def peak_megabytes() -> float:
    """Return the most memory that this process held so far, libraries included.

    Not ``ru_maxrss``, which starts with what the parent held when it started the process.
    """
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def peak_megabytes_of_children() -> float:
    """Return the most memory that one of the processes held that this one has waited for.

    At least what this one held when it started them (see ``peak_megabytes``).
    """
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
