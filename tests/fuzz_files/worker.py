"""Reads files, one after the other, as a user would, in a process of little memory."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

MEMORY = 2 * 2**30
"""Bytes that reading a file may take beyond what the libraries take."""

SECONDS = 20
"""Processor time that a file may take: other work on the machine does not count."""


class SlowError(BaseException):
    """A file that took too long; no ``except Exception`` on the way takes it."""


def _model(path: Path) -> None:
    import numpy as np

    import hwflow

    design = hwflow.compile(path)
    shapes = {p.name: design.graph.types[p.value].shape for p in design.graph.inputs}
    if sum(int(np.prod(shape)) for shape in shapes.values()) < 10_000:
        design.simulate(None) if len(design.graph.nodes) < 8 else design.estimate()


@lru_cache(maxsize=1)
def _design() -> Any:
    import hwflow
    from tests.cli.command import dense

    return hwflow.compile(dense())


def _data(path: Path) -> None:
    from hwflow.core.errors import HwflowError

    design = _design()
    with contextlib.suppress(HwflowError):
        design.simulate(path)
    for _ in islice(design.stream(path, engine="numpy"), 8):
        pass  # a small file may well hold as many samples as take hours


def _settings(path: Path) -> None:
    import hwflow
    from tests.cli.command import dense

    hwflow.compile(dense(), config=path)


def _board(path: Path) -> None:
    import hwflow
    from tests.cli.command import dense

    hwflow.compile(dense(), board=path).estimate()


def _manifest(path: Path) -> None:
    from hwflow.report.manifest.comparison import compare_paths

    compare_paths(path, path).to_dict()


def _project(path: Path) -> None:
    from hwflow.core.errors import HwflowError
    from hwflow.project.stored import open_project
    from hwflow.report.manifest.comparison import compare_paths

    with contextlib.suppress(HwflowError):
        compare_paths(path, path)
    found = open_project(path)
    assert found.changed, "the project lacks most of its headers"


READ: dict[str, Callable[[Path], None]] = {
    "onnx": _model, "tflite": _model, "keras": _model, "h5": _model, "npy": _data, "npz": _data,
    "settings": _settings, "board": _board, "manifest": _manifest, "project": _project,
}  # fmt: skip


def read(kind: str, path: Path) -> str:
    """Return what becomes of a file: ``read``, the codes that refuse it, or what is wrong."""
    from hwflow.core.errors import HwflowError

    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        READ[kind](path)
    except HwflowError as error:
        return ",".join(sorted({d.code for d in error.diagnostics}))
    except SlowError:
        return f"! slow: more than {SECONDS} s\n{traceback.format_exc()[-1500:]}"
    except BaseException as error:
        return f"! {type(error).__name__}: {error}\n{traceback.format_exc()[-2500:]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "read"


def _slow(*given: object) -> None:
    raise SlowError


def _used() -> int:
    """Return the bytes of address space that the process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _warm_up(kinds: set[str]) -> None:
    """Import what reading takes, so that its memory does not count."""
    import hls4ml  # noqa: F401
    import onnxruntime  # noqa: F401

    _design().simulate(None)
    if {"h5", "keras"} & kinds and importlib.util.find_spec("tf_keras"):
        from hwflow.frontends.keras.environment import legacy_keras

        legacy_keras()
        read("h5", ROOT / "examples/digits_qkeras.h5")


def main() -> None:
    """Read the files that standard input names, each in a line of JSON."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    signal.signal(signal.SIGPROF, _slow)
    _warm_up(set(sys.argv[1:]))
    limit = _used() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        kind, path = json.loads(line)
        started = time.process_time()
        outcome = read(kind, Path(path))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answer = {"outcome": outcome, "seconds": time.process_time() - started, "peak": peak}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
