"""A problem as linear constraints: areas, longest path and II, exactly as ``total_of`` has them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from hwflow.core.board import RESOURCES
from hwflow.estimate.capacity import beyond_device, dsp_blocks_of
from hwflow.estimate.graph import BOARD_COLUMN
from hwflow.estimate.logic import logic_of
from hwflow.estimate.spread import PLUS, TOTAL, WIDER
from hwflow.estimate.total import COMMON
from hwflow.fitting.budgets import Budget
from hwflow.fitting.problem import Problem, area_weights
from hwflow.fitting.program import Program, Vector
from hwflow.ir.cost import Basis, Estimate

SHARED = 3
"""Continuous variables that every model has: latency, DSP blocks that are missing, and a scale."""


class Model:
    """The program of a problem, for designs in which a given number of cycles overlaps.

    Attributes:
        problem: what it stands for.
        overlap: cycles of the slowest layer in streams, beside which others work; 0 in io_parallel.
        program: its variables and constraints.
        scale: a variable that can multiply budgets.
    """

    def __init__(self, problem: Problem, overlap: float) -> None:
        self.problem, self.overlap = problem, overlap
        self._bounds: dict[Budget, tuple[Basis, Vector]] = {}
        layers = problem.layers
        self._merges = [i for i, layer in enumerate(layers) if len(set(layer.inputs)) > 1]
        sizes = [len(layer.options) for layer in layers]
        self.program = Program(sizes, SHARED + len(self._merges))
        self._latency, self._missing, self.scale = map(self.program.variable, range(SHARED))

    @cached_property
    def _blocks(self) -> dict[str, Vector]:
        """Areas in blocks of AMD's, by resource, LUTs in the place of missing DSPs left out."""
        return {r: self.program.sum_of(self.problem.column(r)) for r in RESOURCES}

    @cached_property
    def _without_dsp(self) -> Vector | None:
        """The DSP blocks that the part has not; None where that cannot be."""
        available = dsp_blocks_of(self.problem.target.part)
        most = sum(column.max(initial=0.0) for column in self.problem.column("built"))
        if not available or most <= available:
            return None
        room = self._missing + self.program.constant(float(available))
        self.program.at_most(self.program.sum_of(self.problem.column("built")), room)
        return self._missing

    def _area(self, resource: str, luts: float) -> Vector:
        """Return the blocks of AMD's that the design takes, with LUTs for each missing DSP."""
        found = self._blocks[resource]
        if resource != "lut" or self._without_dsp is None:
            return found
        return found + luts * self._without_dsp

    @cached_property
    def areas(self) -> dict[str, Vector]:
        """The board's blocks that the design takes, by resource."""
        luts = self._luts.value
        logic, one = logic_of(self.problem.board), Estimate(1.0, 1.0, 1.0)
        return {r: logic.converted(r, one).value * self._area(r, luts) for r in RESOURCES}

    @cached_property
    def area(self) -> Vector:
        """The mean share of the board's resources, in per cent."""
        weights = area_weights(self.problem.board)
        found = self.program.zero()
        for resource, blocks in self.areas.items():
            found += weights[resource] * blocks
        return found

    @cached_property
    def latency(self) -> Vector:
        """The cycles from the first input to the last output: no less than any path."""
        program, steps = self.program, self.problem.column("step")
        done: dict[str, Vector] = {}
        read: set[str] = set()
        for i, layer in enumerate(self.problem.layers):
            before = [done[name] for name in dict.fromkeys(layer.inputs)]
            start = before[0] if before else program.zero()
            if len(before) > 1:
                start = program.variable(SHARED + self._merges.index(i))
                for path in before:
                    program.at_most(path, start)
            done[layer.name] = start + program.of_group(i, steps[i])
            read.update(layer.inputs)
        for name in sorted(done.keys() - read):
            program.at_most(done[name] + program.constant(self.overlap), self._latency)
        return self._latency

    def keep(self, budget: Budget, basis: Basis, scale: Vector | None = None) -> None:
        """Ask for a budget, or for a multiple of it.

        Args:
            budget: what the design may take.
            basis: what its upper end rests on, where the budget is for that; the rule of the basis
                is then kept to, and ``cut`` asks for what is not linear in it.
            scale: an expression that multiplies the budget; None for 1.
        """
        limit = self.problem.limit(budget)
        bound = self.program.constant(limit) if scale is None or not limit else limit * scale
        if budget.figure == "ii":
            for i, column in enumerate(self.problem.column("ii")):
                self.program.at_most(self.program.of_group(i, column), bound)
        elif budget.figure == "latency":
            self.program.at_most(self.latency, bound)
        elif not budget.high:
            self.program.at_most(self.areas[budget.figure], bound)
        else:
            self._keep_end(budget.figure, basis, bound)
            self._bounds[budget] = (basis, bound)

    def _keep_end(self, resource: str, basis: Basis, bound: Vector) -> None:
        """Ask for the upper end of an area by one of the cases of ``widened``."""
        program, column, most = self.program, BOARD_COLUMN[resource], self._most(resource)
        plain, sure = (self._area(resource, end) for end in (self._luts.value, self._luts.high))
        if basis is Basis.RULE or column not in TOTAL:
            program.at_most(self._sum(resource, "unsure"), program.zero())
            if self._without_dsp is not None:
                program.at_most(self._without_dsp, program.zero())
            program.at_most(most * plain, bound)
            return
        factor, plus = TOTAL[column][1], PLUS[column]
        learned = factor * plain + program.constant(plus * (factor - 1.0))
        if basis is Basis.FITTED:
            program.at_most(self._sum(resource, "doubt"), program.zero())
            program.at_most(most * learned, bound)
            return
        added = self._sum(resource, "margin") if column in COMMON else program.zero()
        program.at_most(most * WIDER[1] * learned, bound)
        program.at_most(most * (sure + added), bound)

    def cut(self, budget: Budget, options: Sequence[int]) -> bool:
        """Ask that the upper end of an area is within its budget, near a choice that breaks it.

        Margins of layers add by the root of the sum of their squares (``total_area``), a norm: no
        less than their sum weighted by any vector of length 1, here that of the choice.

        Args:
            budget: a budget for an upper end.
            options: index of the option taken, by layer.

        Returns:
            Whether anything was asked.
        """
        resource, (basis, bound) = budget.figure, self._bounds[budget]
        margins = self.problem.column(f"{resource} margin")
        taken = np.array([column[i] for column, i in zip(margins, options, strict=True)])
        length = float(np.linalg.norm(taken))
        if BOARD_COLUMN[resource] in COMMON or basis is not Basis.EXTRAPOLATED or not length:
            return False
        along = [column * part for column, part in zip(margins, taken / length, strict=True)]
        end = self._area(resource, self._luts.high) + self.program.sum_of(along)
        self.program.at_most(self._most(resource) * end, bound)
        return True

    @property
    def _luts(self) -> Estimate:
        """LUTs for one missing DSP block."""
        available = dsp_blocks_of(self.problem.target.part) or 0
        return beyond_device(Estimate(available + 1.0), self.problem.target.part)

    def _sum(self, resource: str, end: str) -> Vector:
        return self.program.sum_of(self.problem.column(f"{resource} {end}"))

    def _most(self, resource: str) -> float:
        """Return the upper end of how many blocks of the board stand for one of AMD's."""
        return logic_of(self.problem.board).converted(resource, Estimate(1.0, 1.0, 1.0)).high
