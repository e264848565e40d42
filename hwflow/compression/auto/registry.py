"""All methods of the search; a new one is one entry here."""

from __future__ import annotations

from hwflow.compression.auto.methods import Method
from hwflow.compression.auto.students import Dense, Prune, Qat, Slim
from hwflow.compression.auto.untrained import Untrained

METHODS: tuple[Method, ...] = (Untrained(), Dense(), Slim(), Prune(), Qat())

NAMES = tuple(method.name for method in METHODS)
"""What requirements call the methods."""
