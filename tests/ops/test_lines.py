"""Lines through steps depend on what binds, not on how far clamped inputs go on."""

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.ops.requantization.lines import NO_LIMIT, Steps, fit

Ints = npt.NDArray[np.int64]


def steps_of(first: Ints, last: Ints, level: Ints, begin: Ints) -> Steps:
    lowest, highest = (np.full(len(level), end) for end in (level.min(), level.max()))
    return Steps.of(first, last, level, begin, (lowest, highest))


@st.composite
def runs(draw: st.DrawFn) -> tuple[Ints, Ints, Ints, Ints]:
    """Runs of one to three rows: a line, rising or falling, rounded and clamped."""
    first: list[int] = []
    last: list[int] = []
    level: list[int] = []
    begin: list[int] = []
    for _ in range(draw(st.integers(1, 3))):
        slope = draw(st.floats(0.03, 0.9)) * draw(st.sampled_from([1, -1]))
        n = np.arange(-60, 61)
        results = np.clip(np.floor(slope * n + draw(st.floats(-3, 3))), 0, 7).astype(np.int64)
        cuts = np.flatnonzero(np.diff(results)) + 1
        begin.append(len(first))
        first += n[np.concatenate([[0], cuts])].tolist()
        last += n[np.concatenate([cuts - 1, [len(n) - 1]])].tolist()
        level += results[np.concatenate([[0], cuts])].tolist()
    parts = (np.array(part, np.int64) for part in (first, last, level, begin))
    return tuple(parts)  # type: ignore[return-value]


@settings(max_examples=100, deadline=None)
@given(runs(), st.integers(0, 5000), st.integers(0, 5000))
def test_lines_serve_however_far_clamped_inputs_go_on(
    found: tuple[Ints, Ints, Ints, Ints], before: int, after: int
) -> None:
    first, last, level, begin = found
    ends = np.append(begin[1:], len(first)) - 1
    clamped = (level == level.min()) | (level == level.max())
    longer, later = first.copy(), last.copy()
    longer[begin] -= np.where(clamped[begin], before, 0)
    later[ends] += np.where(clamped[ends], after, 0)
    lines, others = (
        fit(steps_of(*pair, level, begin)) for pair in ((first, last), (longer, later))
    )
    assert (lines is None) == (others is None)
    if lines is None or others is None:
        return
    assert lines.shift == others.shift
    assert np.array_equal(lines.multiplier, others.multiplier)
    assert np.array_equal(lines.offset, others.offset)
    row = np.repeat(np.arange(len(begin)), np.append(begin[1:], len(first)) - begin)
    for n in (longer, later):
        sums = others.multiplier[row] * n + others.offset[row] >> others.shift
        assert np.array_equal(np.clip(sums, level.min(), level.max()), level)


def test_inputs_that_were_left_out_count_against_overflow() -> None:
    first, level = np.array([0, 1000], np.int64), np.array([0, 1], np.int64)
    near, far = (
        fit(steps_of(first, np.array([999, end], np.int64), level, np.zeros(1, np.int64)))
        for end in (2000, NO_LIMIT)
    )
    assert near is not None
    assert far is None
