"""Three ways to give the weights of trained networks fewer bits, on digits.

``python -m tests.benchmarks.bench_requantized``: takes the examples that were trained quantised,
gives all weights 3 and 2 bits, and prints the accuracy on the fifth of the digits that nothing is
chosen with (some of which the networks were trained with). Two minutes.
"""

from pathlib import Path
from unittest import mock

import numpy as np

from hwflow import frontends
from hwflow.frontends.quantization import requantization
from hwflow.frontends.quantization.known import LayerFit
from hwflow.frontends.quantization.layers import Layer
from hwflow.frontends.quantization.ranges import Format
from hwflow.frontends.quantization.requantization import Network
from hwflow.frontends.quantization.samples import Samples, split
from hwflow.frontends.quantization.settings import Settings, make_settings
from hwflow.frontends.quantization.trained import weights_of
from hwflow.frontends.quantization.trained_layers import prepare_trained, real_weights
from hwflow.frontends.quantization.weights import fit_layer
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.simulate.float32 import Reference

EXAMPLES = Path(__file__).parents[2] / "examples"
MODELS = ("digits_mlp.onnx", "digits_cnn.onnx", "digits_residual.onnx", "digits_qkeras.h5",
          "digits_hgq.keras")  # fmt: skip


def dropped(
    original: Layer, layer: Layer, inputs: object, form: Format, own: Settings, *, narrow: bool
) -> LayerFit:
    """Drop the least significant bits: the trained scales, times a power of two."""
    del inputs, narrow
    quantizer = layer.node.inputs[1].producer()  # type: ignore[union-attr]
    assert quantizer is not None
    scale = quantizer.inputs[1].const_value.numpy().astype(np.float64)  # type: ignore[union-attr]
    scale = np.ldexp(scale, weights_of(layer.model)[layer.name] - form.bits)
    matrix = original.matrix()
    rows = matrix.reshape(-1, matrix.shape[2])
    spread = np.broadcast_to(scale.ravel(), (len(rows),))[:, None]
    return LayerFit(form.quantized(rows, spread).reshape(matrix.shape), scale, None, False)


def rounded(
    original: Layer, layer: Layer, inputs: requantization._Inputs, form: Format, own: Settings, *,
    narrow: bool,
) -> LayerFit:  # fmt: skip
    """Round to the nearest integers of the scale with the least squared error."""
    del narrow
    return fit_layer(original, layer, inputs, form, own, narrow=False)


WAYS = {"dropped": dropped, "least error": rounded, "fitted": fit_layer}


def accuracy(model: QonnxModel, samples: Samples) -> float:
    """Return the share of held-out samples with the right class."""
    (outputs,) = Reference(model).run(samples.held_out).values()
    classes = outputs.reshape(len(outputs), -1).argmax(1)
    return float(np.mean(classes == samples.labels))


def main() -> None:
    """Print the table."""
    for name in MODELS:
        trained = prepare_trained(frontends.load(EXAMPLES / name))
        archive = EXAMPLES / f"{Path(name).stem}.npz"
        data = archive if archive.is_file() else EXAMPLES / "digits.npz"
        samples = split(trained, data)
        print(f"{name}: {accuracy(trained, samples):.2%}, {weights_of(trained)}", flush=True)
        for bits in (3, 2):
            settings = make_settings(
                f"w={bits},a=16", scale="float", method="mse", independent=True
            )
            found = []
            for way, fit in WAYS.items():
                network = Network(trained, real_weights(trained), samples.calibration)
                with mock.patch.object(requantization, "fit_layer", fit):
                    model, _ = network.with_fewer(settings)
                found.append(f"{way} {accuracy(model, samples):.2%}")
            print(f"  {bits} bits: {', '.join(found)}", flush=True)


if __name__ == "__main__":
    main()
