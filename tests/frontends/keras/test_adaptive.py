"""QKeras' adaptive activation from a file, which holds its averages and not its integer bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.frontends.keras.environment import legacy_keras

pytestmark = pytest.mark.keras


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "settings"),
    [("quantized_bits", {"per_channel": True}), ("quantized_relu", {"relu_neg_slope": 0.25})],
)
def test_a_file_gives_what_the_trained_model_predicts(
    kind: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    keras = legacy_keras()
    import qkeras

    adaptive = qkeras.QAdaptiveActivation(kind, 5, 0, **settings)
    x = keras.layers.Input((3,))
    y = adaptive(qkeras.QActivation("quantized_bits(10, 4, 1, alpha=1)")(x))
    model = keras.Model(x, y)
    most = np.float32([0.9, 1.8, 3.6])[-np.size(adaptive.ema_max) :]
    adaptive.ema_max.assign(most)
    adaptive.ema_min.assign(-most)
    data = np.random.default_rng(0).normal(0, 3, (400, 3)).astype(np.float32)
    model.predict(data, verbose=0)  # sets the integer bits at its end
    wanted = model.predict(data, verbose=0)
    model.save(tmp_path / "model.h5")
    for source in (model, tmp_path / "model.h5"):
        (found,) = hwflow.compile(source).simulate(data).outputs.values()
        np.testing.assert_array_equal(found, wanted)
