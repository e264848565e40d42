"""What single choices of bits are worth: alone, and one step from the knee of a front."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwflow.exploration.explorer import Explorer, Priced
from hwflow.exploration.separable import single_losses
from hwflow.exploration.tree import Tree


def sensitivity_of(explorer: Explorer) -> dict[str, Any]:
    """Return what each option of each variable loses with all others at their most bits.

    The loss is the mean Kullback-Leibler divergence of the classes' probabilities from those of the
    model that is the reference, on the search samples, in nats.
    """
    losses = single_losses(explorer.space, explorer.tree(explorer.search))
    names = [variable.name for variable in explorer.space.variables]
    return {
        "loss": f"mean Kullback-Leibler divergence from the {explorer.bench.kind} model, nats",
        "losses": {name: row.tolist() for name, row in zip(names, losses, strict=True)},
    }


def next_bits(explorer: Explorer, priced: Priced, number: int, tree: Tree) -> list[dict[str, Any]]:
    """Return what the next more bits of each variable gain and take, the most gain per LUT first.

    Args:
        explorer: the model.
        priced: what LUTs are counted for.
        number: where steps begin.
        tree: what evaluates on the search samples.

    Returns:
        For each variable that has more bits to choose: ``variable``, bits ``from`` and ``to``,
        ``gain`` in nats of the divergence from the reference, and post-synthesis ``lut``.
    """
    space = explorer.space
    digits = space.digits(number)
    steps = {i: number + space.strides[i] for i, d in enumerate(digits) if d + 1 < space.sizes[i]}
    numbers = np.unique(np.array([number, *steps.values()], np.int64))
    losses = dict(zip(numbers.tolist(), tree.losses(numbers).tolist(), strict=True))
    luts = dict(zip(numbers.tolist(), priced.figures(numbers)["lut_synth"].tolist(), strict=True))
    found = [
        {
            "variable": space.variables[i].name,
            "from": space.variables[i].options[digits[i]],
            "to": space.variables[i].options[digits[i] + 1],
            "gain": losses[number] - losses[step],
            "lut": luts[step] - luts[number],
        }
        for i, step in steps.items()
    ]
    return sorted(found, key=_worth, reverse=True)


def _worth(step: dict[str, Any]) -> tuple[bool, float]:
    """Return what sorts steps: what gains and takes nothing first, then gain for each LUT."""
    gain, lut = step["gain"], step["lut"]
    free = lut <= 0 < gain
    return free, gain if free or lut <= 0 else gain / lut
