"""Values inside a network that follow those of its teacher, which may have another width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional

from hwflow.compression.training.graph import NodesModule
from hwflow.compression.training.losses import Wanted

Tensor = Any


class Regressors(torch.nn.Module):
    """A linear map from channels of the student to channels of the teacher, for each feature.

    FitNets (Romero et al. 2015): hints of another width are compared behind a regressor that is
    learned as well, and is left out of the network. Here it is one matrix along the channels, the
    axis behind the batch. Squared differences are parts of the teacher's variance.
    """

    def __init__(self, network: NodesModule, wanted: Wanted, seed: int) -> None:
        """Lay out the maps.

        Args:
            network: the student.
            wanted: samples with the teacher's features.
            seed: draws what the maps begin with.
        """
        super().__init__()
        some = torch.arange(min(wanted.size, 2))
        theirs = wanted.features(some)
        with torch.no_grad():
            ours = network.values(wanted.batch(some)) if theirs else {}
        drawn = torch.Generator().manual_seed(seed)
        self._names, self._wanted = list(theirs), wanted
        self._scales = {
            name: 1.0 / max(float(array.var()), 1e-12)
            for name, array in wanted.features(slice(None)).items()
        }
        self.maps = torch.nn.ParameterList()
        for name in self._names:
            rows, columns = theirs[name].shape[1], ours[name].shape[1]
            spread = torch.randn(rows, columns, generator=drawn) / columns**0.5
            self.maps.append(torch.nn.Parameter(spread))

    def loss(self, values: Mapping[str, Tensor], which: Any) -> Tensor:
        """Return the sum of the mean squared differences of all features, 0 where there are none.

        Args:
            values: those of the student for these samples.
            which: the samples.
        """
        theirs = self._wanted.features(which)
        total = torch.zeros(())
        for name, matrix in zip(self._names, self.maps, strict=True):
            mapped = torch.einsum("oc,nc...->no...", matrix, values[name])
            total = total + self._scales[name] * functional.mse_loss(mapped, theirs[name])
        return total
