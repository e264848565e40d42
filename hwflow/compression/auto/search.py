"""The loop: choose, try, decide, until a design meets everything or nothing is left to try."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwflow.compression.auto.bench import Bench
from hwflow.compression.auto.deploy import NETWORK, SETTINGS, deployed
from hwflow.compression.auto.log import decision, entry_of, write_log
from hwflow.compression.auto.registry import METHODS
from hwflow.compression.auto.study import Study
from hwflow.compression.auto.trial import Outcome, tried
from hwflow.compression.folder import Folder
from hwflow.compression.handover.lineage import save_with
from hwflow.core.config import settings_of
from hwflow.core.files import write_file
from hwflow.core.toml_text import toml_text

CAUTION = 0.005
"""What is asked beyond the lower limits of the samples for validation, for each time that held-out
samples did not confirm them."""

Progress = Callable[[str, float], None]
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Searched:
    """What a search found.

    Attributes:
        entries: the log.
        best: the line of the design that meets everything, or that comes nearest; None where no
            trial gave a network.
        why: why the search ended.
    """

    entries: tuple[dict[str, Any], ...]
    best: dict[str, Any] | None
    why: str

    @property
    def met(self) -> bool:
        """Whether a design meets everything."""
        return self.best is not None and bool(self.best.get("met"))


def place_of(folder: Path, number: int) -> Path:
    """Return the folder of a trial."""
    return folder / "trials" / f"{number + 1:03d}"


def search(bench: Bench, folder: Path, *, progress: Progress, say: Say) -> Searched:
    """Try until a design meets everything, the time is over, or all trials are done.

    Args:
        bench: the original, its samples and the requirements.
        folder: folder of the run, claimed.
        progress: called as time goes on.
        say: called with a line for each decision.
    """
    wanted = bench.wanted
    chosen = [m for m in METHODS if m.name in wanted.methods and m.first(bench)]
    study = Study(folder, bench, chosen)
    while True:
        entries = study.entries
        write_log(entries, folder)
        spent = sum(entry["seconds"] for entry in entries)
        progress("search", min(spent / wanted.seconds, 1.0))
        why = _over(entries, spent, bench, len(chosen))
        if why:
            return Searched(entries=tuple(entries), best=_best(entries), why=why)
        _next(study, bench, folder, say)


def _over(entries: list[dict[str, Any]], spent: float, bench: Bench, choices: int) -> str:
    wanted = bench.wanted
    if any(entry.get("met") for entry in entries):
        return "a design meets all requirements"
    if not choices:
        return "no method can be used with this network"
    if spent >= wanted.seconds:
        return f"the time is over: {wanted.settings.time}"
    if len(entries) >= wanted.settings.trials:
        return f"all trials are done: {wanted.settings.trials}"
    return ""


def _best(entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the line of the network that meets everything or comes nearest, the first of them."""
    made = [entry for entry in entries if entry["network"]]
    return min(
        made, key=lambda e: (not e.get("met", False), sum(e["beyond"].values())), default=None
    )


def _next(study: Study, bench: Bench, folder: Path, say: Say) -> None:
    """Try once, and keep what came of it."""
    began = time.monotonic()
    entries = study.entries
    number, doubts = len(entries), sum("held_out" in e and "verified" not in e for e in entries)
    trial, method, params = study.ask()
    place = place_of(folder, number)
    say(f"trial {number + 1}: {method.name} {_words(params)}")
    outcome = tried(method, params, bench, (place, lambda line: None, CAUTION * doubts))
    entry = entry_of(number, method.name, params, outcome)
    if outcome.candidate is not None:
        entry |= _kept(outcome, bench, place, folder)
    before = [sum(e["beyond"].values()) for e in entries if e["network"]]
    entry["decision"] = decision(entry, bench, min(before, default=None))
    entry["seconds"] = round(time.monotonic() - began, 1)
    say(f"trial {number + 1}: {entry['decision']} ({entry['seconds']:.0f} s)")
    study.tell(trial, entry, outcome.beyond)


def _words(params: dict[str, Any]) -> str:
    return " ".join(f"{name.partition('.')[2]}={value}" for name, value in params.items())


def _kept(outcome: Outcome, bench: Bench, place: Path, folder: Path) -> dict[str, Any]:
    """Write the design of a trial; where it keeps to all limits, judge it held out, and build."""
    candidate, priced = outcome.candidate, outcome.priced
    assert candidate is not None
    assert priced is not None
    place.mkdir(parents=True, exist_ok=True)
    save_with(candidate.model, place / NETWORK, candidate.lineage)
    if priced.config is None:
        return {}
    write_file(place / SETTINGS, toml_text(settings_of(priced.config)).encode())
    if outcome.total > 0.0 or priced.design is None:
        return {}
    held = bench.shares(priced.design, bench.material.held_out)
    if bench.missing(held) > 0.0:
        return {"held_out": held, "met": False}
    build = deployed(bench, place, folder)
    return {"held_out": held, "met": build["verified"], **build}


def claim(bench: Bench, folder: Path) -> None:
    """Keep what a run is of, or refuse another run's folder.

    Raises:
        CompileError: HW355, it is another one's; HW552, it cannot be written.
    """
    import json

    from hwflow.core.digests import file_digest

    wanted = bench.wanted
    paths = (str(wanted.model), str(wanted.data))
    text = json.dumps(wanted.plain(), sort_keys=True)
    Folder(folder).claim(text, {path: file_digest(path) for path in paths})
