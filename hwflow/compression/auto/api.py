"""``compress_auto``: from a file of requirements to a verified build."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwflow import frontends
from hwflow.compression.auto.bench import Bench
from hwflow.compression.auto.deploy import BUILD, NETWORK, SETTINGS
from hwflow.compression.auto.log import right, table_of
from hwflow.compression.auto.registry import NAMES
from hwflow.compression.auto.requirements import read_requirements
from hwflow.compression.auto.search import (
    Progress,
    Say,
    Searched,
    claim,
    place_of,
    search,
)
from hwflow.compression.auto.students import TRAINING
from hwflow.compression.folder import RESULT
from hwflow.compression.handover.figures import Mark
from hwflow.compression.handover.lineage import chain
from hwflow.compression.handover.page import Front, Story
from hwflow.compression.handover.sides import before_after
from hwflow.compression.handover.stories import epoch_curves
from hwflow.compression.needed import require_package
from hwflow.core.config import load_config
from hwflow.core.files import write_file

LEAD = "All trials that gave hardware, judged on the samples for validation with 95 % intervals."


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What came of requirements.

    Attributes:
        folder: folder of the run.
        searched: the trials.
        unmet: requirements that the design does not meet, in words; empty where it meets all.
        story: what the page tells; None where no trial gave a network.
        table: the log of decisions.
    """

    folder: Path
    searched: Searched
    unmet: tuple[str, ...]
    story: Story | None
    table: Any

    @property
    def met(self) -> bool:
        """Whether a verified build meets all requirements."""
        return self.searched.met

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {
            "met": self.met, "why": self.searched.why, "unmet": list(self.unmet),
            "design": self.searched.best, "decisions": list(self.searched.entries),
            "build": str(self.folder / BUILD) if self.met else None,
        }  # fmt: skip


def auto(
    requirements: str | Path,
    run: str | Path,
    *,
    progress: Progress = lambda stage, done: None,
    say: Say = lambda line: None,
) -> Found:
    """Search for a design that meets requirements, and build it.

    Args:
        requirements: path of a TOML file, see ``Settings``.
        run: folder of the run; one that was ended goes on, and repeats the trial that was killed.
        progress: called as time goes on.
        say: called with a line for each decision.

    Raises:
        CompileError: HW376 and HW377, requirements cannot be used; HW035, a package is missing;
            HW355, the folder is another run's; or model and data cannot be read.
        ToolError: g++ is missing, or the C++ does not compile.
    """
    require_package("optuna")
    wanted = read_requirements(Path(requirements), NAMES)
    folder = Path(run)
    progress("read", 0.0)
    bench = Bench.of(wanted)
    claim(bench, folder)
    progress("read", 1.0)
    searched = search(bench, folder, progress=progress, say=say)
    table = table_of(searched.entries, bench)
    best = searched.best
    if best is None:
        why = (searched.why,)
        return Found(folder=folder, searched=searched, unmet=why, story=None, table=table)
    place = place_of(folder, best["trial"])
    for name in (NETWORK, SETTINGS):
        if (place / name).is_file():
            write_file(folder / name, (place / name).read_bytes())
    unmet = [] if searched.met else _unmet(best, bench)
    story = _story(bench, folder, searched, unmet)
    return Found(
        folder=folder, searched=searched, unmet=tuple(unmet), story=story, table=table
    )  # fmt: skip


def _unmet(best: Mapping[str, Any], bench: Bench) -> list[str]:
    """Return what the nearest design does not meet, and by how much."""
    names = dict(best["beyond"])
    found = [f"{text}" for text in best.get("unmet", ())]
    doubted = "held_out" in best and "verified" not in best
    if names.get("samples") or doubted:
        shares = best.get("held_out") or best["validation"]
        asked = ", ".join(f"{limit.name} {100 * limit.number:g} %" for limit in bench.wanted.floors)
        found.append(f"{asked}: {right(shares, bench)}")
    return found


def _story(bench: Bench, folder: Path, searched: Searched, unmet: list[str]) -> Story:
    best, wanted = searched.best, bench.wanted
    assert best is not None
    settings = wanted.settings
    model = frontends.load(folder / NETWORK)
    config = load_config(folder / SETTINGS) if (folder / SETTINGS).is_file() else None
    sides = before_after(str(wanted.model), str(wanted.data), model, config or bench.config())
    said = "" if not unmet else f" Not met: {'; '.join(unmet)}."
    return Story(
        model=wanted.model.name, method="auto", reached=not unmet,
        verdict=f"{searched.why[0].upper()}{searched.why[1:]}.{said}",
        facts={"Requirements": f"{settings.min} {settings.max}".strip(), "Board": sides.board,
               "Trials": str(len(searched.entries)), "Chosen": f"trial {best['trial'] + 1}"},
        sides=sides, links=chain(folder / NETWORK, [folder]),
        tables=[table_of(searched.entries, bench)],
        curves=epoch_curves(_epochs(place_of(folder, best["trial"])), "ebops", None),
        front=_front(searched),
    )  # fmt: skip


def _epochs(place: Path) -> list[dict[str, Any]]:
    """Return what the training of a trial passed through; nothing where it had none."""
    file = place / TRAINING / RESULT
    return list(json.loads(file.read_text())["epochs"]) if file.is_file() else []


def _front(searched: Searched) -> Front | None:
    """Return all trials that gave hardware, by their LUTs."""
    assert searched.best is not None
    marks, kinds = [], ("accuracy", "agreement")
    for entry in searched.entries:
        shares = entry["validation"]
        kind = next((k for k in kinds if k in shares), None)
        if kind is None or "cost" not in entry:
            continue
        low, high = shares[f"{kind}_interval"]
        marks.append(
            Mark(
                cost=entry["cost"]["lut_synth"][0], value=100 * shares[kind],
                ends=(100 * low, 100 * high), chosen=entry["trial"] == searched.best["trial"],
                name=f"trial {entry['trial'] + 1}, {entry['method']}",
            )
        )  # fmt: skip
    if not marks:
        return None
    return Front(marks=tuple(marks), cost="LUT, after synthesis", kind="accuracy", lead=LEAD)
