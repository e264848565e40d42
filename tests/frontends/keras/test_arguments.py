"""Arguments of Keras' layers and quantisers: each is accounted for, or refused by its name."""

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qkeras", reason="QKeras is not installed")
pytestmark = pytest.mark.keras

from hwflow.core.errors import CompileError  # noqa: E402
from hwflow.frontends import load  # noqa: E402
from hwflow.frontends.keras.arguments import INERT, READ  # noqa: E402
from hwflow.frontends.keras.environment import legacy_keras  # noqa: E402
from hwflow.frontends.keras.model import CONVERTERS  # noqa: E402
from hwflow.frontends.keras.quantizers import QUANTIZERS  # noqa: E402

ONLY_DEFAULT = {
    "Softmax": {"robust_masking"},
    "QBatchNormalization": {"activation"},
    "QConv2DBatchnorm": {"center"},
    "QDepthwiseConv2DBatchnorm": {"center"},
}
"""Arguments that have to have their defaults."""

OF_BASES = {"conv_op", "pool_function", "filters", "groups", "cell"}
"""Arguments of base classes that subclasses set themselves."""


def classes() -> Iterator[tuple[str, type]]:
    legacy_keras()
    import qkeras
    import tf_keras
    from qkeras import quantizers

    for name in CONVERTERS:
        quantised = name.startswith("Q") and name[1:2].isupper()
        yield name, getattr(qkeras if quantised else tf_keras.layers, name)
    for name in QUANTIZERS.keys() & READ.keys():
        yield name, getattr(quantizers, name)


def arguments(cls: type) -> set[str]:
    own = [c for c in cls.__mro__ if "__init__" in c.__dict__ and c is not object]
    names = {
        p.name
        for c in own
        for p in list(inspect.signature(c.__dict__["__init__"]).parameters.values())[1:]
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    ends = ("_initializer", "_regularizer", "_constraint")
    return {n for n in names if n not in INERT and not n.endswith(ends)}


def test_every_argument_of_every_constructor_is_accounted_for() -> None:
    for name, cls in classes():
        left = arguments(cls) - READ.get(name, frozenset()) - {"scale_axis"} - OF_BASES
        assert left == ONLY_DEFAULT.get(name, set()), name


def refused(model: Any) -> str:
    with pytest.raises(CompileError) as caught:
        load(model)
    (finding,) = caught.value.diagnostics
    return f"{finding.code} {finding.where}: {finding.found}"


def network(*layers: Any) -> Any:
    import tf_keras

    x = first = tf_keras.Input((4,))
    for layer in layers:
        x = layer(x)
    return tf_keras.Model(first, x)


def test_an_argument_of_a_newer_layer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """``inverse_quantizer`` of newer QKeras quantises gamma / sqrt(variance + epsilon)."""
    legacy_keras()
    import qkeras

    layer = qkeras.QBatchNormalization(name="norm")
    model = network(qkeras.QActivation("quantized_bits(8, 2, alpha=1)"), layer)
    load(model)
    config = layer.get_config()
    monkeypatch.setattr(
        type(layer), "get_config", lambda self: {**config, "inverse_quantizer": "quantized_bits(8)"}
    )
    assert refused(model) == (
        f"HW281 norm: QBatchNormalization, in {model.name}: inverse_quantizer = 'quantized_bits(8)'"
    )
    monkeypatch.setattr(
        type(layer), "get_config", lambda self: {**config, "inverse_quantizer": None}
    )
    load(model)  # the help: without it


def test_an_argument_of_a_newer_quantiser_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    legacy_keras()
    import qkeras

    layer = qkeras.QActivation(qkeras.quantized_bits(8, 2, alpha=1), name="act")
    model = network(layer)
    quantizer = layer.quantizer
    config = quantizer.get_config()
    monkeypatch.setattr(type(quantizer), "get_config", lambda self: {**config, "clusters": 3})
    assert "HW282 act: QActivation" in refused(model)
    assert refused(model).endswith("clusters = 3")


def test_an_argument_that_a_configuration_leaves_out_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    legacy_keras()
    import qkeras

    layer = qkeras.QBatchNormalization(name="norm")
    model = network(qkeras.QActivation("quantized_bits(8, 2, alpha=1)"), layer)
    layer.activation = "relu"  # an argument of the constructor that get_config does not tell
    assert refused(model).endswith("activation = 'relu'")


def test_a_mask_is_refused() -> None:
    legacy_keras()
    import qkeras
    import tf_keras

    x = tf_keras.Input((4,), name="x")
    mask = tf_keras.Input((4,), dtype="bool", name="mask")
    values = qkeras.QActivation("quantized_bits(8, 2, alpha=1)")(x)
    model = tf_keras.Model([x, mask], tf_keras.layers.Softmax(name="scores")(values, mask=mask))
    assert "scores: Softmax" in refused(model)


@pytest.mark.parametrize("value", [np.float32(1.0), (1, 2), "same"])
def test_values_are_compared_however_they_are_written(value: Any) -> None:
    from hwflow.frontends.keras.arguments import _same

    assert _same(value, value.tolist() if isinstance(value, np.generic) else value)
    assert _same(list(value) if isinstance(value, tuple) else value, value)
    assert not _same(value, None)
