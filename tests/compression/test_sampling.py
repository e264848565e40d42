"""Drawn samples are like the known ones, and never beyond them."""

import numpy as np
from scipy import stats

from hwflow.compression.sampling import copula, drawn_by_kind


def test_each_feature_keeps_its_distribution_and_all_their_correlations() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=2000)
    known = np.stack([np.exp(a), a + 0.5 * rng.normal(size=2000), rng.uniform(size=2000)], axis=1)
    drawn = copula(known, 20000, np.random.default_rng(1))
    assert (drawn.min(axis=0) >= known.min(axis=0).astype(np.float32)).all()
    assert (drawn.max(axis=0) <= known.max(axis=0).astype(np.float32)).all()
    for j in range(3):
        assert stats.ks_2samp(known[:, j], drawn[:, j]).statistic < 0.03
    ours, theirs = (stats.spearmanr(values).statistic for values in (drawn, known))
    assert np.abs(ours - theirs).max() < 0.03


def test_shape_and_constant_features_are_kept() -> None:
    known = np.zeros((50, 1, 2, 2), np.float32)
    known[:, 0, 0, 0] = np.linspace(0, 1, 50)
    drawn = copula(known, 7, np.random.default_rng(0))
    assert drawn.shape == (7, 1, 2, 2)
    assert not drawn[:, 0, 1].any()


def test_kinds_keep_their_shares_and_their_own_correlations() -> None:
    rng = np.random.default_rng(0)
    a, b = (
        rng.multivariate_normal([0, 0], [[1, r], [r, 1]], n) for r, n in ((0.9, 600), (-0.9, 400))
    )
    known, kinds = np.concatenate([a, b, a[:1]]), np.repeat([4, 7, 9], [600, 400, 1])
    drawn = drawn_by_kind(known, kinds, 10010, np.random.default_rng(1))
    assert drawn.shape == (10010, 2)
    first, second = drawn[:5990], drawn[6010:10000]
    assert np.corrcoef(first.T)[0, 1] > 0.85
    assert np.corrcoef(second.T)[0, 1] < -0.85
    assert np.array_equal(drawn[-5:], np.repeat(a[:1].astype(np.float32), 5, axis=0))
