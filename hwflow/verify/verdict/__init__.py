"""What hardware is to the trained model: lossless, approximate by nature, or not lossless."""

from __future__ import annotations

from hwflow.verify.verdict.state import Approximation, State, Verdict

__all__ = ["Approximation", "State", "Verdict"]
