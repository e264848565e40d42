"""A short run of the fuzzer of files; ``make fuzz-files FILES=...`` runs long ones."""

import random

import pytest

from tests.fuzz_files import wire
from tests.fuzz_files.kinds import KINDS, MODELS, kind_of
from tests.fuzz_files.run import Outcome, fuzz

QUICK = tuple(kind.name for kind in KINDS if not kind.needs and kind.name != "keras")


def test_damaged_files_are_read_or_refused() -> None:
    outcome = fuzz(100, seed=1, kinds=QUICK, quiet=True)
    assert outcome.failures == []
    assert set(outcome.files) == set(QUICK)
    refused = {kind for kind, _ in outcome.codes}
    assert refused >= set(QUICK) - {"project"}
    assert outcome.read["onnx"] > 7, "what is damaged further in is read further"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_many_damaged_files_are_read_or_refused(kind: str) -> None:
    assert fuzz(500, seed=2, kinds=(kind,), quiet=True).failures == []


def test_messages_are_taken_apart_and_put_together() -> None:
    for path in MODELS[:8]:
        content = path.read_bytes()
        assert wire.encode(wire.parse(content)) == content


def test_every_damage_is_another_and_the_same_again() -> None:
    content = MODELS[0].read_bytes()
    made = [wire.mutated(random.Random(seed), content) for seed in range(30)]
    assert len(set(made)) > 25
    assert made == [wire.mutated(random.Random(seed), content) for seed in range(30)]
    kinds = {kind_of(random.Random(seed)).name for seed in range(200)}
    assert kinds == {kind.name for kind in KINDS if kind.possible}


def test_the_worker_counts_what_hangs_and_what_takes_memory() -> None:
    outcome = Outcome()
    outcome.add(1, "onnx", {"outcome": "read", "seconds": 1.0, "peak": 2**20})
    outcome.add(2, "onnx", {"outcome": "HW001,HW002", "seconds": 3.0, "peak": 2**21})
    outcome.add(3, "npz", {"outcome": "! MemoryError", "seconds": 2.0, "peak": 2**22})
    assert (outcome.read["onnx"], outcome.codes["onnx", "HW002"]) == (1, 1)
    assert outcome.failures == [(3, "npz", "! MemoryError")]
    assert "3 files, 1 failures; slowest 3.0 s, most memory 4 MiB" in str(outcome)
