"""The end of a training: what swings stops, what moves goes on."""

from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch


def test_numbers_that_swing_stop_at_the_nearer_one_and_others_move() -> None:
    from hwflow.compression.training.quantizers import LearnedConstant
    from hwflow.compression.training.settling import Settling

    constant = LearnedConstant(torch.tensor([0.3, 0.0, 0.1]), (3,), pruned=False)
    with torch.no_grad():
        constant.fraction.fill_(1.0)  # a grid of halves
    settling = Settling([constant])
    rng = np.random.default_rng(0)
    for i in range(400):
        often = 0.3 if rng.random() < 0.8 else 0.2  # 0.5 in four of five steps, else 0
        with torch.no_grad():
            constant.value[0] = often
            constant.value[1] = 0.01 * i
            constant.value[2] = 0.1
        settling.step(i / 400)
    assert constant.value[0] == 0.5
    assert settling.held()[0]["still"].tolist() == [True, False, False]
    assert constant.value[1:].tolist() == pytest.approx([3.99, 0.1])


def test_bits_stay_in_the_last_epochs(tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.compression.trainings import begun, request

    training = begun(request(tmp_path_factory.mktemp("run"), epochs=10))
    kept = []
    for _ in training.run():
        kept.append([p.detach().clone() for p in training.network.parameters_named("fraction")])
    changed = [
        any(not torch.equal(a, b) for a, b in zip(*pair, strict=True)) for pair in pairwise(kept)
    ]
    assert changed == [True] * 8 + [False]
