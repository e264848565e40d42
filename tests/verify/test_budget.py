"""What quantisation cost: figures against formulas written out, on cases that can be counted."""

from math import inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hwflow.core.distance import Distance, classes_of, output_error
from hwflow.verify.budget import kl_divergence, layer_losses, output_loss

finite = st.floats(-50, 50, width=32)


def softmax(row: list[float]) -> list[float]:
    total = sum(np.exp(np.longdouble(v)) for v in row)
    return [float(np.exp(np.longdouble(v)) / total) for v in row]


@given(arrays(np.float32, (3, 4), elements=finite), arrays(np.float32, (3, 4), elements=finite))
def test_kl_of_logits_is_the_formula(real: np.ndarray, ours: np.ndarray) -> None:
    real[0, 0] = -1.0  # no probability
    found, softmaxed = kl_divergence(real, ours)
    expected = [
        sum(p * (log(p) - log(q)) for p, q in zip(softmax(a), softmax(b), strict=True) if p and q)
        for a, b in zip(real.tolist(), ours.tolist(), strict=True)
    ]
    assert softmaxed
    assert found == pytest.approx(float(np.mean(expected)), rel=1e-9, abs=1e-9)
    assert found >= 0
    assert kl_divergence(real, real) == (0.0, True)


def test_kl_of_probabilities_takes_them_as_they_are() -> None:
    real, ours = np.array([[0.5, 0.25, 0.25]]), np.array([[0.25, 0.5, 0.25]])
    assert kl_divergence(real, ours) == (pytest.approx(0.25 * log(2)), False)
    rounded_to_zero = np.array([[1.0, 0.0, 0.0]])
    found, softmaxed = kl_divergence(real, rounded_to_zero)
    assert not softmaxed
    assert found is not None
    assert np.isfinite(found)


def test_one_value_has_no_divergence() -> None:
    assert kl_divergence(np.ones((4, 1)), np.zeros((4, 1))) == (None, False)


def test_samples_and_classes_of_an_output() -> None:
    real = np.array([[1.0, 0.0], [0.0, 3.0], [2.0, 1.0], [0.0, 1.0]])
    ours = np.array([[1.0, 0.0], [4.0, 3.0], [2.0, 1.5], [0.0, 1.0]])
    hardware = np.array([[1.0, 0.0], [4.0, 3.0], [1.0, 1.5], [0.0, 1.0]])
    loss = output_loss("y", ours, real, hardware, np.array([0, 1, 0, 0]))
    assert [(w.index, w.max_abs) for w in loss.worst] == [(1, 4.0), (2, 0.5)]
    assert (loss.changed, loss.changed_samples) == (1, (1,))
    assert loss.error.argmax_agreement == 0.75
    assert loss.hardware_agreement == 0.5
    assert (loss.error.accuracy, loss.error.reference_accuracy) == (0.5, 0.75)
    assert loss.error.sqnr_db == pytest.approx(10 * np.log10(16 / 16.25))


def test_a_class_is_compared_as_one() -> None:
    real, ours = np.array([[3], [1], [2]]), np.array([[3], [2], [2]])
    loss = output_loss("label", ours, real, ours.astype(float), np.array([3, 1, 1]))
    assert (loss.kl_divergence, loss.softmaxed) == (None, False)
    assert (loss.error.accuracy, loss.error.reference_accuracy) == (1 / 3, 2 / 3)
    assert (loss.changed, loss.hardware_agreement) == (1, 2 / 3)


def test_layers_that_both_have_are_compared() -> None:
    quantised = {"a": np.array([[1.0, 2.0]]), "b": np.ones((1, 3)), "c": np.zeros((1, 1))}
    real = {"a": np.array([[[1.0], [2.5]]]), "b": np.ones((1, 4))}
    values = [("layer1", "fc1", "a"), ("layer2", "fc2", "b"), ("layer3", "fc3", "c")]
    (found,) = layer_losses(values, quantised, real)
    assert (found.layer, found.origin, found.elements) == ("layer1", "fc1", 2)
    assert (found.max_abs, found.mean_abs) == (0.5, 0.25)
    assert found.sqnr_db == pytest.approx(10 * np.log10(7.25 / 0.25))


@given(st.lists(arrays(np.float64, (2, 3), elements=st.integers(-9, 9)), min_size=2, max_size=5))
def test_a_distance_in_parts_is_the_distance_of_the_whole(parts: list[np.ndarray]) -> None:
    whole, pieces = Distance(), Distance()
    real, ours = np.stack(parts), np.stack(parts[::-1])
    whole.add(real, ours)
    for a, b in zip(real, ours, strict=True):
        pieces.add(a, b)
    assert pieces == whole
    assert whole.mean_abs == np.abs(real - ours).mean()


def test_no_noise_and_no_signal_are_told_apart() -> None:
    ones, zeros = np.ones((2, 2)), np.zeros((2, 2))
    assert output_error("y", ones, ones, None).sqnr_db == inf
    assert output_error("y", ones, zeros, None).sqnr_db == -inf


def test_integers_of_several_places_are_no_classes() -> None:
    assert classes_of(np.ones((4, 3), int)) is None
    assert classes_of(np.ones((4, 1))) is None
