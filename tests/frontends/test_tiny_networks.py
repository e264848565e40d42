"""MLPerf Tiny's architectures with made weights: from an int8 file to faithful C++."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontends.tflite_models import interpret
from tests.frontends.tiny_networks import NETWORKS, content, design

pytest.importorskip("tensorflow", reason="TFLite's interpreter is the reference")


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_from_file_to_faithful_hardware(name: str) -> None:
    data, shape = content(name)
    samples = np.random.default_rng(0).integers(-128, 128, (4, *shape)).astype(np.int8)
    (expected,) = interpret(data, [samples]).values()
    made = design(name, data)
    (found,) = made.simulate(samples).outputs.values()
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)
    verdict = made.verify(samples)
    assert verdict.faithful is not None
    assert verdict.faithful.holds
    assert verdict.lossless is not None
    assert verdict.lossless.holds
