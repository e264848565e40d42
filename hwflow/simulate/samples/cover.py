"""The fewest samples found that reach everything that all of them reach: greedy set cover."""

from __future__ import annotations

import numpy as np

from hwflow.fixed import RawArray

MOST_MARKS = 1 << 24
"""Bytes for the marks of all goals of all samples; beyond, hits are sorted instead."""


def hits_of(reached: RawArray, goals: int) -> tuple[RawArray, RawArray]:
    """Return sample and goal of every hit, each pair once.

    Args:
        reached: goals by sample, one row each; -1 for none.
        goals: how many there are.
    """
    sample, place = np.nonzero(reached >= 0)
    goal = reached[sample, place]
    if len(reached) * goals > MOST_MARKS:
        keys = np.unique(sample * goals + goal)
        return keys // goals, keys % goals
    marks = np.zeros((len(reached), goals), bool)
    marks[sample, goal] = True
    sample, goal = np.nonzero(marks)
    return sample, goal


def greedy_cover(sample: RawArray, goal: RawArray, most: int) -> list[int]:
    """Return samples that together reach all goals, each reaching the most that are left.

    Never more than ``ln(goals) + 1`` times as many as needed (Chvatal 1979); of equals the first.

    Args:
        sample: sample of each hit.
        goal: goal of each hit; pairs are distinct.
        most: samples to return at most.
    """
    if not len(sample):
        return []
    by_goal = np.argsort(goal, kind="stable")
    of_goal = sample[by_goal]
    first = np.concatenate([[0], np.cumsum(np.bincount(goal))])
    mine = np.argsort(sample, kind="stable")
    own, start = goal[mine], np.concatenate([[0], np.cumsum(np.bincount(sample))])
    left = np.bincount(sample)
    done = np.zeros(len(first) - 1, bool)
    chosen: list[int] = []
    while len(chosen) < most and left.max() > 0:
        best = int(left.argmax())
        chosen.append(best)
        goals = own[start[best] : start[best + 1]]
        goals = goals[~done[goals]]
        done[goals] = True
        also = np.concatenate([of_goal[first[g] : first[g + 1]] for g in goals.tolist()])
        left -= np.bincount(also, minlength=len(left))
    return chosen
