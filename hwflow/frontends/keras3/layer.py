"""A layer of a Keras 3 file as the converters see a live one: its settings and arrays by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hwflow.frontends.keras.activations import Function
from hwflow.frontends.keras3.archive import DamagedError, Group

VARIABLES: dict[str, tuple[tuple[str, str], ...]] = {
    "kernel": (("kernel", ""), ("bias", "use_bias")),
    "einsum": (("kernel", ""), ("bias", "bias_axes")),
    "depthwise": (("depthwise_kernel", ""), ("bias", "use_bias")),
    "separable": (("depthwise_kernel", ""), ("pointwise_kernel", ""), ("bias", "use_bias")),
    "norm": (("gamma", "scale"), ("beta", "center"), ("moving_mean", ""), ("moving_variance", "")),
    "layer norm": (("gamma", "scale"), ("beta", "center")),
    "factors": (("scale", ""),),
    "alpha": (("alpha", ""),),
    "recurrent": (("kernel", ""), ("recurrent_kernel", ""), ("bias", "use_bias")),
    "moments": (("adapt_mean", "!mean"), ("adapt_variance", "!mean")),
}
"""Arrays in Keras' order, each with the setting that it depends on, or takes the place of (``!``):
those that are trained first, in the order of their creation."""

OF_LAYER = {
    "Dense": "kernel", "Conv1D": "kernel", "Conv2D": "kernel", "EinsumDense": "einsum",
    "Conv1DTranspose": "kernel", "Conv2DTranspose": "kernel",
    "DepthwiseConv1D": "depthwise", "DepthwiseConv2D": "depthwise",
    "SeparableConv1D": "separable", "SeparableConv2D": "separable",
    "BatchNormalization": "norm", "LayerNormalization": "layer norm",
    "RMSNormalization": "factors", "PReLU": "alpha", "Normalization": "moments",
    "SimpleRNN": "recurrent", "LSTM": "recurrent", "GRU": "recurrent",
    "QSimpleRNN": "recurrent", "QGRU": "recurrent",
    "QDense": "kernel", "QConv1D": "kernel", "QConv2D": "kernel", "QEinsumDense": "einsum",
    "QBatchNormalization": "norm",
}  # fmt: skip
"""Kind of a layer's arrays, by class name; a layer that is not here has none of its own."""


@dataclass(frozen=True, eq=False)
class FileLayer:
    """One layer. The entries of its configuration are attributes, and so are its arrays.

    Attributes:
        kind: its class name.
        settings: its configuration.
        group: its arrays, and those of its quantisers.
        arrays: the arrays by name.
    """

    kind: str
    settings: dict[str, Any]
    group: Group
    arrays: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: str, settings: dict[str, Any], group: Group) -> FileLayer:
        """Return a layer with its arrays.

        Raises:
            DamagedError: there are fewer arrays than it needs.
        """
        wanted = [
            name
            for name, setting in VARIABLES.get(OF_LAYER.get(kind, ""), ())
            if not setting
            or (settings.get(setting[1:]) is None if setting[0] == "!" else settings.get(setting))
        ]
        settings = {key: _plain(value) for key, value in settings.items()}
        own = group / "cell" if OF_LAYER.get(kind) == "recurrent" else group
        return cls(kind, settings, group, named(own, wanted) if wanted else {})

    def __getattr__(self, name: str) -> Any:
        """Return an array, or a setting.

        Raises:
            AttributeError: there is neither.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self.arrays:
            return self.arrays[name]
        if name not in self.settings:
            raise AttributeError(f"{self.kind} has no {name}")
        value = self.settings[name]
        function = name in ("activation", "recurrent_activation") and value is not None
        return Function(str(value)) if function else value

    def but(self, **arrays: Any) -> FileLayer:
        """Return the layer with other arrays."""
        return FileLayer(self.kind, self.settings, self.group, {**self.arrays, **arrays})


def _plain(value: Any) -> Any:
    """Return the name of a function of Keras, in whatever form a layer has it; others as is."""
    if isinstance(value, dict) and value.get("class_name") == "function":
        return value.get("config")
    return value


def named(group: Group, names: list[str]) -> dict[str, Any]:
    """Return the first arrays of a group by the names that they have in Keras.

    Raises:
        DamagedError: there are fewer.
    """
    arrays = group.variables()
    if len(arrays) < len(names):
        raise DamagedError(f"{len(arrays)} arrays of weights in {group.path}, not {len(names)}")
    return {n: np.asarray(a, np.float32) for n, a in zip(names, arrays[: len(names)], strict=True)}
