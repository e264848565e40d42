"""What a training is asked for, checked; plain values, so that a run knows what it is of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hwflow.compression.granularity import Granularity
from hwflow.compression.material import LABELS, Task
from hwflow.compression.target import Goal, read_goal


@dataclass(frozen=True, kw_only=True)
class Request:
    """A training.

    Attributes:
        model: path of a float model.
        data: path of its data.
        goal: ``ebops=8000``, ``lut=3000`` or ``fits=BOARD``.
        teachers: paths of other float models to learn from; the model itself unless given.
        features: ``STUDENT=TEACHER`` each, names of nodes or values whose values are learned.
        tables: dense layers that become sums of tables, all of them where none is named; None for
            products.
        bits: bits that the training begins with, by the names that ``quantize`` takes.
        task: what the outputs are.
        granularity: what shares a number of bits.
        epochs: passes over the samples.
        batch: samples of a step.
        draw: samples to draw instead of training with the data.
        temperature: what logits are divided by before they are compared with the teacher's.
        hard: weight of the labels, where there are any, beside the teachers.
        seed: what all that is drawn begins with.
        board: profile that LUTs are estimated for.
        io_type: ``io_parallel`` or ``io_stream``.
    """

    model: str
    data: str
    goal: str
    teachers: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    tables: tuple[str, ...] | None = None
    bits: Mapping[str, int] = field(default_factory=dict)
    task: Task = "classification"
    granularity: Granularity = field(default_factory=Granularity)
    epochs: int = 150
    batch: int = 64
    draw: int = 0
    temperature: float = 1.0
    hard: float = LABELS
    seed: int = 0
    board: str = "pynq-z2"
    io_type: str = "io_parallel"

    @property
    def parallel(self) -> bool:
        """Whether convolutions have hardware for each position."""
        return self.io_type == "io_parallel"

    @property
    def aim(self) -> Goal:
        """The goal, read."""
        return read_goal(self.goal)

    def to_json(self) -> str:
        """Return the request as text, the same for equal ones."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Return what ``to_json`` gave."""
        fields: dict[str, Any] = json.loads(text)
        fields["granularity"] = Granularity(**fields["granularity"])
        names = [n for n in ("teachers", "features", "tables") if fields[n] is not None]
        lists = {name: tuple(fields[name]) for name in names}
        return cls(**{**fields, **lists})
