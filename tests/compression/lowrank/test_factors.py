"""Factors against theory and against other ways of computing them."""

import numpy as np
import pytest

from hwflow.compression.lowrank.factors import qr, rank_for, spectrum, svd, tucker2

SHAPES = [(7, 5), (4, 9), (6, 6)]


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape)


@pytest.mark.parametrize("factor", [svd, qr])
@pytest.mark.parametrize("shape", SHAPES)
def test_full_rank_gives_the_matrix(factor: object, shape: tuple[int, int]) -> None:
    matrix = drawn(*shape)
    found = factor(matrix, min(shape))  # type: ignore[operator]
    first, second = found.parts
    # float64 and at most nine terms: errors of a few units in the last place
    np.testing.assert_allclose(second @ first, matrix, atol=1e-12)
    assert found.error < 1e-12


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_svd_misses_what_the_dropped_singular_values_say(shape: tuple[int, int], rank: int) -> None:
    matrix = drawn(*shape)
    first, second = svd(matrix, rank).parts
    eigenvalues = np.sort(np.linalg.eigvalsh(matrix @ matrix.T))[::-1]  # squares, independently
    theory = np.sqrt(eigenvalues[rank:].clip(min=0).sum())
    assert np.linalg.norm(matrix - second @ first) == pytest.approx(theory, rel=1e-9)
    assert svd(matrix, rank).error == pytest.approx(theory / np.linalg.norm(matrix), rel=1e-9)
    assert first.shape == (rank, shape[1])
    assert second.shape == (shape[0], rank)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_qr_misses_what_it_says_and_no_less_than_svd(shape: tuple[int, int], rank: int) -> None:
    matrix = drawn(*shape)
    found = qr(matrix, rank)
    first, second = found.parts
    missing = np.linalg.norm(matrix - second @ first) / np.linalg.norm(matrix)
    assert found.error == pytest.approx(missing, rel=1e-9)
    assert found.error >= svd(matrix, rank).error - 1e-12


@pytest.mark.parametrize("ranks", [(6, 4), (3, 2), (1, 1), (2, 4)])
@pytest.mark.parametrize("spatial", [(3, 3), (5,)])
def test_tucker_parts_give_the_kernel_by_einsum(
    ranks: tuple[int, int], spatial: tuple[int, ...]
) -> None:
    kernel = drawn(6, 4, *spatial)
    found = tucker2(kernel, ranks)
    into, core, out = found.parts
    again = np.einsum("os,sr...,ri->oi...", out, core, into)
    missing = np.linalg.norm(kernel - again) / np.linalg.norm(kernel)
    assert missing == pytest.approx(found.error, abs=1e-7)  # a root of a difference of squares
    if ranks == (6, 4):
        np.testing.assert_allclose(again, kernel, atol=1e-12)
    else:
        # no worse than cutting both axes at once without improving them (HOSVD)
        left = np.linalg.svd(kernel.reshape(6, -1))[0][:, : ranks[0]]
        right = np.linalg.svd(np.moveaxis(kernel, 1, 0).reshape(4, -1))[0][:, : ranks[1]]
        cut = np.einsum("oi...,os,ps,ir,jr->pj...", kernel, left, left, right, right)
        assert missing <= np.linalg.norm(kernel - cut) / np.linalg.norm(kernel) + 1e-12


def test_energy_is_kept_by_the_least_rank() -> None:
    values = np.array([3.0, 2.0, 1.0, 0.0])
    assert [rank_for(values, e) for e in (9 / 14, 0.7, 13 / 14, 0.94, 1.0)] == [1, 2, 2, 3, 3]
    matrix = drawn(6, 4)
    np.testing.assert_allclose(spectrum(matrix, 0), spectrum(matrix, 1), atol=1e-12)
