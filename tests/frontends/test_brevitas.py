"""A live Brevitas module becomes a model that computes the module's own numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from hwflow.core.errors import CompileError
from hwflow.frontends import load
from hwflow.ir.qonnx.model import QonnxModel, origin
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.fold_constants import fold_constants
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.simulate.float32 import Reference

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore"),  # torch's and Brevitas' own deprecations
]


def network(
    *,
    seed: int = 0,
    in_quant: dict[str, Any] | None = None,
    quant_output: bool = False,
    **weights: Any,
) -> Any:
    """Return a calibrated two-layer network, in training mode."""
    pytest.importorskip("brevitas")
    import brevitas.nn as qnn
    import torch
    from brevitas.quant import (
        Int8ActPerTensorFixedPoint,
        Int8WeightPerTensorFixedPoint,
        Uint8ActPerTensorFixedPoint,
    )

    last = {"output_quant": Int8ActPerTensorFixedPoint, "return_quant_tensor": True}

    class TwoLayers(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            settings = {"weight_quant": Int8WeightPerTensorFixedPoint, "weight_bit_width": 4}
            act = {"act_quant": Int8ActPerTensorFixedPoint, "bit_width": 6} | (in_quant or {})
            self.inp = qnn.QuantIdentity(**act)
            self.hidden = torch.nn.Sequential(
                qnn.QuantLinear(8, 6, bias=True, **(settings | weights)),
                qnn.QuantReLU(act_quant=Uint8ActPerTensorFixedPoint, bit_width=4),
            )
            self.last = qnn.QuantLinear(
                6, 3, bias=False, **settings, **(last if quant_output else {})
            )

        def forward(self, features: Any) -> Any:
            return self.last(self.hidden(self.inp(features)))

    torch.manual_seed(seed)
    module = TwoLayers().train()
    module(torch.randn(64, 8))
    return module


def both(module: Any, model: QonnxModel) -> tuple[np.ndarray, np.ndarray]:
    """Return what the model and what the module make of the same data."""
    import torch

    x = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    found = Reference(fold_constants(infer_shapes(clean_model(model)))).run({"features": x})
    with torch.no_grad():
        expected = module.eval()(torch.from_numpy(x))
    return found["output"], getattr(expected, "value", expected).numpy()


@pytest.mark.parametrize("mode", ["ROUND", "FLOOR", "CEIL", "ROUND_TO_ZERO"])
def test_weights_are_those_of_the_module_however_it_rounds(mode: str) -> None:
    module = network(weight_float_to_int_impl_type=mode)
    found, expected = both(module, load(module, np.zeros((5, 8))))
    np.testing.assert_array_equal(found, expected)


def test_accumulator_aware_weights_are_those_of_the_module() -> None:
    pytest.importorskip("brevitas")
    from brevitas.quant import Int8AccumulatorAwareWeightQuant

    module = network(
        in_quant={"return_quant_tensor": True},
        weight_quant=Int8AccumulatorAwareWeightQuant,
        weight_accumulator_bit_width=10,
    )
    found, expected = both(module, load(module, np.zeros((1, 8))))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)  # scales are no powers of 2


def test_the_exporter_alone_is_wrong() -> None:
    module = network(weight_float_to_int_impl_type="FLOOR")
    model = load(module, np.zeros((1, 8)))
    node = next(n for n in model.ir.graph if "hidden" in origin(n) and "weight" in (n.name or ""))
    raw = module.hidden[0].weight.detach().numpy()
    value = node.inputs[0]
    assert value is not None
    value.const_value = ir.tensor(raw)  # what the exporter writes
    found, expected = both(module, model)
    assert not np.array_equal(found, expected)


def test_names_and_the_module_are_kept() -> None:
    import torch

    module = network()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    model = load(module, torch.zeros(3, 8))
    assert module.training
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    assert (model.name, model.source) == ("TwoLayers", "TwoLayers")
    assert [v.name for v in model.ir.graph.inputs] == ["features"]
    assert [v.name for v in model.ir.graph.outputs] == ["output"]
    names = [origin(n) for n in fold_constants(infer_shapes(model)).ir.graph]
    assert names == ["inp", "hidden.0", "hidden.1", "hidden.1", "last"]


def test_a_module_may_return_a_quant_tensor() -> None:
    module = network(quant_output=True)
    model = load(module, np.zeros((1, 8)))
    assert [v.name for v in model.ir.graph.outputs] == ["output"]
    np.testing.assert_array_equal(*both(module, model))


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    load(network(), np.zeros((1, 8)))
    assert capfd.readouterr() == ("", "")


def test_an_example_is_needed() -> None:
    with pytest.raises(CompileError, match="HW028"):
        load(network())


def test_a_module_that_does_not_run_is_a_clear_error() -> None:
    with pytest.raises(CompileError, match="HW027"):
        load(network(), np.zeros((1, 5)))


def test_one_bit_activations_that_the_exporter_changes_are_refused() -> None:
    with pytest.raises(CompileError, match=r"HW026(.|\n)*inp: QuantIdentity"):
        load(network(in_quant={"bit_width": 1}), np.zeros((1, 8)))


def test_a_layer_used_on_inputs_of_different_scales_is_refused() -> None:
    pytest.importorskip("brevitas")
    import brevitas.nn as qnn
    import torch
    from brevitas.quant import Int8ActPerTensorFixedPoint, Int8WeightPerTensorFixedPoint, Int16Bias

    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            act = {"act_quant": Int8ActPerTensorFixedPoint, "return_quant_tensor": True}
            self.first = qnn.QuantIdentity(bit_width=6, **act)
            self.second = qnn.QuantIdentity(bit_width=3, **act)
            self.fc = qnn.QuantLinear(
                4, 4, bias=True, weight_quant=Int8WeightPerTensorFixedPoint, bias_quant=Int16Bias
            )

        def forward(self, x: Any) -> Any:
            return self.fc(self.second(self.fc(self.first(x))))

    torch.manual_seed(0)
    module = Twice().train()
    module(torch.randn(64, 4))
    with pytest.raises(CompileError, match=r"HW026(.|\n)*fc: QuantLinear"):
        load(module, np.zeros((1, 4)))
