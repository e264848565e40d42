"""Accuracy of post-training quantisation against ONNX Runtime's, on a digits CNN.

``python -m tests.benchmarks.bench_ptq``: trains the CNN of ``examples/train_digits_float.py`` on
600 digits, for three seeds; calibrates on 256 of them; tests on the 1,197 others and nine noisy
copies of each (Gaussian, 0.1 of the range). Figures are means over the seeds. "onnxruntime" at 6
and 4 bits is its minmax arithmetic emulated (``tests/ptq_rivals.py``), at 8 bits, and where only
weights have 4, ``quantize_static`` itself. About five minutes.
"""

import io
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import torch

from hwflow.frontends.quantization import quantize
from tests.ptq_rivals import classes, minmax, onnxruntime_static

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "examples"))

SEEDS, TRAINED, CALIBRATED, COPIES, EPOCHS = 3, 600, 256, 9, 12
Rival = Callable[[onnx.ModelProto, np.ndarray, bool], onnx.ModelProto]


def trained(seed: int) -> tuple[onnx.ModelProto, np.ndarray, np.ndarray, np.ndarray]:
    """Return a float model, calibration images, test images and their labels."""
    import digits
    from train_digits_float import DigitsFloat

    x, y = digits.load()
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    kept, tested = order[:TRAINED], order[TRAINED:]
    model = DigitsFloat()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        model.train()
        for batch in kept[torch.randperm(TRAINED)].split(32):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        schedule.step()
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecation notices
        torch.onnx.export(
            model.eval(), (x[:1],), file, dynamo=False, opset_version=18, input_names=["x"],
            output_names=["logits"], dynamic_axes={"x": {0: "batch"}, "logits": {0: "batch"}},
        )  # fmt: skip
    rng = np.random.default_rng(seed)
    clean = x[tested].numpy()
    noisy = [np.clip(clean + rng.normal(0, 0.1, clean.shape), 0, 1) for _ in range(COPIES)]
    images = np.concatenate([clean, *noisy]).astype(np.float32)
    labels = np.tile(y[tested].numpy(), COPIES + 1)
    return onnx.load_from_string(file.getvalue()), x[kept][:CALIBRATED].numpy(), images, labels


def ours(bits: str, **settings: Any) -> Rival:
    """Return hwflow's quantisation to these bits."""

    def run(model: onnx.ModelProto, data: np.ndarray, per_channel: bool) -> onnx.ModelProto:
        found = quantize(model, data, bits, per_channel=per_channel, **settings)
        return ir.to_proto(found.model.ir)

    return run


def rivals() -> dict[tuple[str, str], Rival]:
    """Return what is compared, by bits and name."""
    found: dict[tuple[str, str], Rival] = {
        ("w=8,a=8", "onnxruntime"): lambda m, d, c: onnxruntime_static(m, d, per_channel=c),
        ("w=4,a=8", "onnxruntime"): lambda m, d, c: onnxruntime_static(
            m, d, per_channel=c, weight_bits=4
        ),
    }
    for width in (6, 4):
        found[f"w={width},a={width}", "onnxruntime"] = lambda m, d, c, b=width: minmax(  # type: ignore[misc]
            m, d, b, per_channel=c
        )
    for bits in ("w=8,a=8", "w=6,a=6", "w=4,a=8", "w=4,a=4"):
        found[bits, "hwflow"] = ours(bits)
        found[bits, "hwflow --scale pow2"] = ours(bits, scale="pow2")
    return found


def main() -> None:
    """Print a table of accuracy and of agreement with the float model."""
    results: dict[tuple[str, str, bool], list[tuple[float, float]]] = {}
    floats = []
    for seed in range(SEEDS):
        model, data, x, y = trained(seed)
        reference = classes(model, x)
        floats.append(float((reference == y).mean()))
        for (bits, name), run in rivals().items():
            for per_channel in (False, True):
                given = classes(run(model, data, per_channel), x)
                shares = float((given == y).mean()), float((given == reference).mean())
                results.setdefault((bits, name, per_channel), []).append(shares)
    print(f"float: accuracy {np.mean(floats):.2%}")
    print(f"{'bits':<9} {'weight scales':<14} {'':<20} {'accuracy':>9} {'same class':>11}")
    order = ["w=8,a=8", "w=6,a=6", "w=4,a=8", "w=4,a=4"]
    for key in sorted(results, key=lambda k: (order.index(k[0]), k[2], k[1])):
        accuracy, agreement = np.mean(results[key], 0)
        scales = "per channel" if key[2] else "per tensor"
        print(f"{key[0]:<9} {scales:<14} {key[1]:<20} {accuracy:>9.2%} {agreement:>11.2%}")


if __name__ == "__main__":
    main()
