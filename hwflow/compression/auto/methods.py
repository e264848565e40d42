"""What the search can do to a network: one protocol, and the list of those that follow it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hwflow.compression.auto.bench import Bench
from hwflow.ir.qonnx.lineage import Lineage
from hwflow.ir.qonnx.model import QonnxModel

if TYPE_CHECKING:
    import optuna

Params = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A quantised network that a method made.

    Attributes:
        name: which of those that the method made.
        model: the network.
        lineage: where it comes from.
    """

    name: str
    model: QonnxModel
    lineage: Lineage


class Method(Protocol):
    """A way to a smaller network."""

    name: str

    def first(self, bench: Bench) -> Sequence[Params]:
        """Return settings that are tried before any are drawn; none where it has no use."""

    def draw(self, trial: optuna.Trial, bench: Bench) -> Params:
        """Return settings that a trial draws; their names begin with that of the method."""

    def work(self, params: Params, bench: Bench) -> float:
        """Return how long it takes, in products of weights that are trained; 0 for nothing."""

    def sketch(self, params: Params, bench: Bench) -> QonnxModel | None:
        """Return a network that takes no more hardware than what would come of it, made quickly.

        None where making it is quick.
        """

    def make(self, params: Params, bench: Bench, folder: Path, say: Say) -> Iterator[Candidate]:
        """Yield what comes of it, most likely first.

        Args:
            params: what ``first`` or ``draw`` gave.
            bench: the original and its samples.
            folder: a folder for this trial; one that was ended goes on there.
            say: called with a line for each epoch.

        Raises:
            CompileError: nothing comes of it.
        """
