"""Damages files, hands them to a worker, and counts what becomes of them."""

from __future__ import annotations

import json
import random
import select
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz_files.kinds import KINDS, ROOT, kind_of
from tests.fuzz_files.worker import MEMORY, SECONDS

PATIENCE = 10 * SECONDS
"""Seconds after which a worker that waits for something, or that no signal reaches, is ended."""

LIBRARIES = 600
"""Seconds that importing every library may take on a machine that is busy."""


@dataclass
class Outcome:
    """What became of the files.

    Attributes:
        files: how many there were, by format.
        read: how many were read, by format.
        codes: how many were refused, by format and code.
        failures: number, format and what went wrong.
        slowest: the longest time that one file took, in seconds.
        peak: the most memory that a worker ever took, in bytes, libraries included.
    """

    files: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    codes: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[tuple[int, str, str]] = field(default_factory=list)
    slowest: float = 0.0
    peak: int = 0

    def add(self, number: int, kind: str, answer: dict[str, Any]) -> None:
        """Count a file."""
        self.files[kind] += 1
        self.slowest = max(self.slowest, answer["seconds"])
        self.peak = max(self.peak, answer["peak"])
        outcome = answer["outcome"]
        if outcome == "read":
            self.read[kind] += 1
        elif outcome.startswith("!"):
            self.failures.append((number, kind, outcome))
        else:
            self.codes.update((kind, code) for code in outcome.split(","))

    def __str__(self) -> str:
        """Return a table."""
        lines = []
        for kind, files in sorted(self.files.items()):
            codes = Counter({code: n for (k, code), n in self.codes.items() if k == kind})
            most = ", ".join(f"{code} {n}" for code, n in codes.most_common(6))
            lines.append(f"{kind:<9} {files:6} files, {self.read[kind]:5} read; {most}")
        lines.append(
            f"{sum(self.files.values())} files, {len(self.failures)} failures; "
            f"slowest {self.slowest:.1f} s, most memory {self.peak / 2**20:.0f} MiB with libraries "
            f"(limit {MEMORY >> 30} GiB beyond them)"
        )
        return "\n".join(lines)


class _Worker:
    """A process that reads files; a new one where the last ended."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self._kinds = kinds
        self._process: subprocess.Popen[str] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as its worker

    def read(self, kind: str, path: Path) -> dict[str, Any]:
        """Return what became of a file."""
        process = self._process or self._started()
        assert process.stdin is not None
        process.stdin.write(json.dumps([kind, str(path)]) + "\n")
        process.stdin.flush()
        line = self._answer(PATIENCE)
        if line:
            return dict(json.loads(line))
        said = f"! no answer; the worker said {self._end()}"
        return {"outcome": said, "seconds": float(PATIENCE), "peak": 0}

    def _started(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.fuzz_files.worker", *self._kinds]
        self._process = subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log,
        )  # fmt: skip
        if self._answer(LIBRARIES) != "ready\n":
            raise RuntimeError(f"the worker does not start: {self._end()}")
        return self._process

    def _answer(self, seconds: float) -> str:
        """Return the next line of the worker, or nothing where it ends or does not answer."""
        assert self._process is not None
        output = self._process.stdout
        assert output is not None
        return output.readline() if select.select([output], [], [], seconds)[0] else ""

    def _end(self) -> str:
        """End the process, and return the end of what it printed."""
        self.close()
        self._log.seek(0)
        return self._log.read()[-2000:].decode("utf-8", "replace")

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None


def fuzz(
    files: int,
    *,
    seed: int = 0,
    first: int = 0,
    kinds: tuple[str, ...] = (),
    keep: Path | None = None,
    quiet: bool = False,
) -> Outcome:
    """Damage files and count what becomes of them.

    Args:
        files: how many.
        seed: of the damages; the same file has the same number in each run.
        first: number of the first file.
        kinds: names of formats; all without any.
        keep: folder for the files that fail.
        quiet: print nothing.
    """
    outcome, worker = Outcome(), _Worker(kinds or tuple(kind.name for kind in KINDS))
    with tempfile.TemporaryDirectory(prefix="hwflow-fuzz-") as folder:
        for number in range(first, first + files):
            rng = random.Random(f"{seed}/{number}")
            kind = kind_of(rng, kinds)
            path = Path(folder) / f"{number}{kind.end}"
            kind.write(rng, path)
            outcome.add(number, kind.name, worker.read(kind.name, path))
            failed = outcome.failures and outcome.failures[-1][0] == number
            if failed and not quiet:
                print("\n".join(map(str, outcome.failures[-1])), flush=True)
            if failed and keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                shutil.move(path, keep / path.name)
            else:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            if not quiet and (number + 1 - first) % 500 == 0:
                print(outcome, flush=True)
    worker.close()
    return outcome
