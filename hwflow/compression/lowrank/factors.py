"""Matrices and kernels as products of smaller ones: SVD, QR with pivoting, Tucker-2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg

Floats = npt.NDArray[np.float64]

SWEEPS = 10
"""Times that the bases of Tucker-2 are improved in turn."""


@dataclass(frozen=True, eq=False)
class Factors:
    """A layer's weights as a product.

    Attributes:
        parts: first applied first: ``(rank, inputs)`` and ``(outputs, rank)`` of a matrix;
            ``(r, inputs)``, ``(s, r, *kernel)`` and ``(outputs, s)`` of a kernel.
        rank: rank, or both ranks, as text.
        error: norm of what is missing, in parts of the norm of the weights (Frobenius).
    """

    parts: tuple[Floats, ...]
    rank: str
    error: float


def svd(matrix: Floats, rank: int) -> Factors:
    """Return the best product of a rank (Eckart and Young 1936).

    Each factor has the roots of the singular values, so that both have like ranges.

    Args:
        matrix: ``(outputs, inputs)``.
        rank: 1 to the lesser of both.
    """
    left, values, right = linalg.svd(matrix, full_matrices=False)
    root = np.sqrt(values[:rank])
    parts = (root[:, None] * right[:rank], left[:, :rank] * root)
    return Factors(parts, str(rank), _relative(float(np.linalg.norm(values[rank:])), matrix))


def qr(matrix: Floats, rank: int) -> Factors:
    """Return a product by QR with column pivoting (Businger and Golub 1965).

    One factor holds as many inputs as the rank nearly unchanged.

    Args:
        matrix: ``(outputs, inputs)``.
        rank: 1 to the lesser of both.
    """
    orthogonal, triangle, order = linalg.qr(matrix, mode="economic", pivoting=True)
    ordered = np.empty((rank, matrix.shape[1]))
    ordered[:, order] = triangle[:rank]
    missing = float(np.linalg.norm(triangle[rank:]))
    scale = np.sqrt(np.maximum(np.linalg.norm(ordered, axis=1), 1e-30))
    parts = (ordered / scale[:, None], orthogonal[:, :rank] * scale)
    return Factors(parts, str(rank), _relative(missing, matrix))


def tucker2(kernel: Floats, ranks: tuple[int, int]) -> Factors:
    """Return a kernel as a core between two changes of channels (Kim et al., arXiv:1511.06530).

    Bases are the singular vectors along each axis (HOSVD), improved in turn (HOOI, De Lathauwer,
    De Moor and Vandewalle 2000). The error is that of the product itself.

    Args:
        kernel: ``(outputs, inputs, *spatial)``.
        ranks: that of outputs and that of inputs.
    """
    out, into = _basis(kernel, 0, ranks[0]), _basis(kernel, 1, ranks[1])
    for _ in range(SWEEPS):
        out = _basis(np.einsum("oi...,ir->or...", kernel, into), 0, ranks[0])
        into = _basis(np.einsum("oi...,os->si...", kernel, out), 1, ranks[1])
    core = np.einsum("oi...,os,ir->sr...", kernel, out, into)
    kept = float((core**2).sum())
    missing = float(np.sqrt(max(float((kernel**2).sum()) - kept, 0.0)))
    return Factors((into.T, core, out), f"{ranks[0]}, {ranks[1]}", _relative(missing, kernel))


def rank_for(values: Floats, energy: float) -> int:
    """Return the least rank that keeps a part of the squares of singular values."""
    shares = np.cumsum(values**2) / max(float((values**2).sum()), 1e-300)
    enough = int(np.searchsorted(shares, energy - 1e-12)) + 1
    return min(enough, len(values))


def spectrum(array: Floats, axis: int) -> Floats:
    """Return the singular values of an array's unfolding along an axis."""
    found: Floats = linalg.svdvals(_unfolded(array, axis))
    return found


def _basis(array: Floats, axis: int, rank: int) -> Floats:
    """Return the leading left singular vectors of an unfolding, ``(size, rank)``."""
    found: Floats = linalg.svd(_unfolded(array, axis), full_matrices=False)[0][:, :rank]
    return found


def _unfolded(array: Floats, axis: int) -> Floats:
    return np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)


def _relative(missing: float, array: Floats) -> float:
    whole = float(np.linalg.norm(array))
    return missing / whole if whole else 0.0
