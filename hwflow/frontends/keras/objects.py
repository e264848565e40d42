"""Makes a live model from a checked configuration."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwflow.frontends.keras.quantizers import QUANTIZERS
from hwflow.frontends.keras.safety import DATA, KNOWN


def build_model(keras: Any, config: Any) -> Any:
    """Return the model that a configuration describes, without weights.

    Args:
        keras: the module ``tf_keras``.
        config: a configuration that ``safety.checked`` returned, or one that is trusted.
    """
    kinds = {"Sequential": keras.Sequential}
    with keras.utils.custom_object_scope(_qkeras_objects()):
        cls = kinds.get(config["class_name"], keras.Model)
        return cls.from_config(_with_quantizers(config["config"]))


def _qkeras_objects() -> dict[str, Any]:
    """Return QKeras' layers and quantisers by the names in ``safety.KNOWN``."""
    import qkeras
    from qkeras import quantizers

    found = {name: getattr(quantizers, name, None) or getattr(qkeras, name, None) for name in KNOWN}
    return {k: v for k, v in found.items() if v is not None and v.__module__.startswith("qkeras.")}


def _with_quantizers(value: Any) -> Any:
    """Return a configuration with objects for those of quantisers, as ``QActivation`` needs.

    Arrays and tuples, which JSON does not have, are decoded on the way.
    """
    if isinstance(value, list):
        return [_with_quantizers(part) for part in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("class_name")
    if kind in DATA:
        return _data(value)
    parts = {key: _with_quantizers(part) for key, part in value.items()}
    if kind not in QUANTIZERS:
        return parts
    from qkeras import quantizers

    settings = dict(parts.get("config") or {})
    if isinstance(settings.get("alpha"), list):  # an array, in older files
        settings["alpha"] = np.asarray(settings["alpha"], np.float32)
    return getattr(quantizers, kind)(**settings)


def _data(value: Any) -> Any:
    """Return the array or tuple that an object of a configuration stands for."""
    if "items" in value:
        return tuple(_with_quantizers(part) for part in value["items"])
    return np.asarray(value["config"]["value"], np.float32)
