"""Which entry of a calibration profile is for a target, and what it makes of an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwflow.estimate.device import SEVEN_SERIES, ULTRASCALE, is_7_series
from hwflow.ir.cost import Correction
from hwflow.ir.op import Target

if TYPE_CHECKING:
    from hwflow.core.calibration import Entry, Profile


def family_of(part: str) -> str:
    """Return the family that estimates know a part by; ``"UltraScale"`` stands for newer ones."""
    return SEVEN_SERIES if is_7_series(part) else ULTRASCALE


def correction_of(profile: Profile, target: Target, name: str) -> Correction | None:
    """Return the correction for a target; None where the profile has none for its tool and family.

    A target that names no version of its tool gets the newest that the profile has.

    Args:
        profile: the profile.
        target: back end, part, and perhaps the tool.
        name: how messages call the profile.
    """
    family = family_of(target.part)
    known = {tool: f[family] for tool, f in profile.correction.items() if family in f}
    fitting = [t for t in sorted(known) if t.startswith(f"{target.backend.lower()} ")]
    tool = target.tool or (fitting[-1] if fitting else "")
    return correction(known[tool], tool, family, name) if tool in known else None


def correction(entry: Entry, tool: str, family: str, name: str) -> Correction:
    """Return an entry of a profile as what estimates are multiplied with."""
    count = len(entry.designs)
    designs = f"{count} designs" if count > 1 else "one design, so not tested on another"
    factors = tuple(sorted((str(figure), factor) for figure, factor in entry.factors.items()))
    listed = ", ".join(f"{figure} x {factor:.3g}" for figure, factor in factors) or "no factor"
    basis = f"calibrated by {name}: {tool}, {family}, {designs}; {listed}"
    return Correction(factors=factors, family=family, basis=basis)


def correction_for(target: Target) -> Correction | None:
    """Return the correction of a target; None where its part is of another family."""
    found = target.correction
    return found if found is not None and found.family == family_of(target.part) else None
