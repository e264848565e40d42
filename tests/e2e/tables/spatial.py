"""Constructs: convolutions and poolings."""

from typing import Any

import numpy as np

from tests.e2e.construct import APPROXIMATE, Body, Construct, one, then_quant
from tests.networks import DOMAIN, Builder

IMAGE = (1, 4, 6, 6)
LINE = (1, 4, 8)
UNSIGNED = (4, 0.25, False)


def conv(filters: int = 3, kernel: tuple[int, ...] = (3, 3), group: int = 1, bias: bool = True,
         axis: int | None = None, **attributes: Any) -> Body:  # fmt: skip
    def body(b: Builder, x: str) -> str:
        weight = b.weight((filters, 4 // group, *kernel), 4, 0.25, axis)
        extra = {"group": group} if group > 1 else {}
        operands = [x, weight] + ([b.bias(filters)] if bias else [])
        return b.node("Conv", operands, **extra, **attributes)

    return body


def weights_at_run_time(b: Builder, x: str) -> str:
    return b.node("Conv", [x, b.node("Reshape", [x, b.constant([9, 4, 2, 2], np.int64)])])


def float_weights(b: Builder, x: str) -> str:
    return b.node("Conv", [x, b.constant(b.rng.normal(size=(3, 4, 3, 3)))])


def transposed(kernel: tuple[int, ...] = (3, 3), group: int = 1, **attributes: Any) -> Body:
    def body(b: Builder, x: str) -> str:
        weight = b.weight((4, 3, *kernel), 4, 0.25)
        return b.node("ConvTranspose", [x, weight, b.bias(3 * group)], group=group, **attributes)

    return body


def resize(*factors: float, mode: str = "nearest", **attributes: Any) -> Body:
    def body(b: Builder, x: str) -> str:
        operands = [x, "", b.constant(factors)]
        if attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize":
            operands[1] = b.constant([0.0, 0, 0, 0, 1, 1, 1, 1])
        return b.node("Resize", operands, mode=mode, **attributes)

    return body


def indices(b: Builder, x: str) -> str:
    pool = b.node("MaxPool", [x], kernel_shape=(2, 2))
    b.nodes[-1].output.append("indices")
    return b.node("Add", [pool, b.node("Cast", ["indices"], to=1)])


def to_image(b: Builder, x: str) -> str:
    y = b.node("Conv", [x, b.weight((3, 4, 3, 3), 4, 0.25)])
    y = b.quant(b.node("Relu", [y]), 4, 0.5, signed=False)
    return b.node("MatMul", [b.node("Flatten", [y]), b.weight((48, 5), 4, 0.25)])


def reduce(op: str, axes: tuple[int, ...], keep: int) -> Body:
    return lambda b, x: b.node(op, [x, b.constant(axes, np.int64)], keepdims=keep)


def pads_first(b: Builder, x: str) -> str:
    x = b.node("Pad", [x, b.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)])
    return conv()(b, x)


def c(name: str, body: Body, outcome: str = "exact", note: str = "", shape: tuple[int, ...] = IMAGE,
      **more: Any) -> Construct:  # fmt: skip
    return Construct(name=name, body=body, outcome=outcome, note=note, shape=shape, **more)


def pool(op: str, kernel: tuple[int, ...] = (2, 2), **attributes: Any) -> Body:
    return one(op, kernel_shape=kernel, **attributes)


PADS = (1, 1, 1, 1)


def truncated_average(b: Builder, x: str) -> str:
    mean = b.node("AveragePool", [x], kernel_shape=(3, 3))
    total = b.node("Mul", [mean, b.constant(9.0)])
    bounds = [b.constant(v) for v in (0.25, 0.0, 9.0, 5.0)]
    return b.node("Trunc", [total, *bounds], DOMAIN, rounding_mode="FLOOR")


def channels_last_conv(b: Builder, x: str) -> str:
    attributes = {"strides": (1, 1), "dilations": (1, 1), "pads": (0,) * 4, "group": 1}
    operands = [x, b.weight((3, 2, 2, 2), 4, 0.25)]
    return b.node("Conv", operands, LAST, kernel_shape=(2, 2), **attributes)


LAST = "qonnx.custom_op.channels_last"

TABLE = (
    c("Conv 2D without attributes", conv(), note="qonnx: exception"),
    c("Conv 2D without bias", conv(bias=False)),
    c("Conv 2D, pads", conv(kernel_shape=(3, 3), pads=PADS)),
    c("Conv 2D, asymmetric pads", conv(pads=(0, 1, 2, 0))),
    c("Conv 2D, auto_pad SAME_UPPER", conv(kernel=(2, 2), auto_pad="SAME_UPPER")),
    c("Conv 2D, auto_pad SAME_LOWER", conv(kernel=(2, 2), auto_pad="SAME_LOWER")),
    c("Conv 2D, auto_pad SAME_UPPER with stride", conv(auto_pad="SAME_UPPER", strides=(2, 2))),
    c("Conv 2D, auto_pad VALID", conv(auto_pad="VALID")),
    c("Conv 2D, strides", conv(strides=(2, 1))),
    c("Conv 2D, stride larger than kernel", conv(kernel=(2, 2), strides=(3, 3))),
    c(
        "Conv 2D, 1 x 2 kernel with vertical stride",
        conv(kernel=(1, 2), strides=(2, 3)),
        stream="HW115",
    ),
    c("Conv 2D, 1x1", conv(kernel=(1, 1))),
    c("Conv 2D, 1x1 with strides", conv(kernel=(1, 1), strides=(2, 2))),
    c("Conv 2D, kernel as large as the image", conv(kernel=(6, 6))),
    c("Conv 2D, dilations", conv(dilations=(2, 2)), note="hls4ml: segmentation fault"),
    c("Conv 2D, dilations and pads", conv(dilations=(2, 1), pads=PADS)),
    c("Conv 2D, groups", conv(6, group=2), note="hls4ml: 'Depth multiplier must be an integer'"),
    c("Conv 2D, depthwise", conv(4, group=4)),
    c("Conv 2D, depthwise, multiplier 2", conv(8, group=4), note="hls4ml: C++ assertion"),
    c("Conv 2D, power-of-two scale per filter, with bias", conv(axis=0), note="hls4ml: crash"),
    c("Conv 2D, depthwise, scale per filter", conv(4, group=4, axis=0), note="hls4ml: ValueError"),
    c("Conv 2D, scale per input channel", conv(axis=1)),
    c("Pad before Conv 2D", pads_first),
    c("Conv 2D, weights not quantised", float_weights, "HW211"),
    c("Conv 2D, weights computed at run time", weights_at_run_time, "HW210, HW216"),
    c("Conv 2D, Relu, Flatten, Dense", to_image),
    c("Conv 1D", conv(kernel=(3,)), shape=LINE),
    c("Conv 1D, pads and stride", conv(kernel=(3,), pads=(1, 2), strides=(2,)), shape=LINE),
    c(
        "Conv 1D, dilation 2",
        conv(kernel=(3,), dilations=(2,)),
        shape=LINE,
        note="hls4ml: wrong length",
    ),
    c("Conv 1D, groups", conv(4, kernel=(3,), group=2), shape=LINE),
    c("Conv 1D, depthwise", conv(4, kernel=(3,), group=4), shape=LINE),
    c("Conv 3D", conv(kernel=(2, 2, 2)), "HW210", shape=(1, 4, 3, 3, 3)),
    c("ConvTranspose", transposed((2, 2), strides=(2, 2)), note="zeros between the elements, Conv"),
    c("ConvTranspose, overlapping", transposed((3, 3), strides=(2, 2), pads=PADS)),
    c("ConvTranspose, output_padding", transposed(strides=(2, 1), output_padding=(1, 0))),
    c("ConvTranspose, grouped, dilated", transposed((2, 2), 2, dilations=(2, 2), strides=(1, 2))),
    c("ConvTranspose, SAME_UPPER", transposed(strides=(2, 2), auto_pad="SAME_UPPER")),
    c("ConvTranspose 1D", transposed((3,), strides=(2,)), shape=LINE),
    c("ConvTranspose 3D", transposed((2, 2, 2)), "HW201", shape=(1, 4, 3, 3, 3)),
    c("Resize, nearest, by 2", resize(1.0, 1, 2, 2), note="hls4ml: ValueError"),
    c(
        "Resize, nearest, by 2 and 3, asymmetric",
        resize(1.0, 1, 2, 3, coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    ),
    c(
        "Resize, nearest, by 1/2",
        resize(1.0, 1, 0.5, 0.5, coordinate_transformation_mode="asymmetric"),
    ),
    c(
        "Resize, nearest, align_corners",
        resize(1.0, 1, 2, 2, coordinate_transformation_mode="align_corners"),
    ),
    c("Resize, linear", resize(1.0, 1, 2, 2, mode="linear")),
    c("Resize, linear by three", resize(1.0, 1, 3, 3, mode="linear"), "HW217"),
    c(
        "Resize that crops",
        resize(1.0, 1, 2, 2, coordinate_transformation_mode="tf_crop_and_resize"),
        "HW217",
    ),
    c("Upsample, opset 9", one("Upsample", np.array([1, 1, 2, 2]), mode="nearest"), opset=9),
    c("MaxPool 2D", pool("MaxPool", strides=(2, 2))),
    c("MaxPool 2D, padded, signed", pool("MaxPool", (3, 3), pads=PADS, strides=(3, 3))),
    c(
        "MaxPool 2D, padded, unsigned",
        pool("MaxPool", (3, 3), pads=PADS, strides=(3, 3)),
        quant=UNSIGNED,
        note="hls4ml: the padding wins over the data",
    ),
    c("MaxPool 2D, stride smaller than kernel", pool("MaxPool", (3, 3), strides=(1, 1))),
    c("MaxPool 2D, stride larger than kernel", pool("MaxPool", strides=(3, 3))),
    c("MaxPool 2D, ceil_mode", pool("MaxPool", (4, 4), strides=(4, 4), ceil_mode=1)),
    c("MaxPool 2D, dilations", pool("MaxPool", dilations=(2, 2)), "HW215"),
    c(
        "MaxPool 2D, auto_pad SAME_UPPER",
        pool("MaxPool", (3, 3), auto_pad="SAME_UPPER", strides=(2, 2)),
    ),
    c("ReduceSum over rows and columns", reduce("ReduceSum", (2, 3), 0)),
    c("ReduceSum over channels", reduce("ReduceSum", (1,), 1)),
    c("ReduceSum over the batch axis", reduce("ReduceSum", (0,), 1), "HW216"),
    c("MaxPool 2D, result and indices", indices, "HW210"),
    c(
        "MaxPool 1D",
        pool("MaxPool", (2,), strides=(2,)),
        shape=LINE,
        note="hls4ml: 'pad_left' not set",
    ),
    c(
        "AveragePool 2D",
        pool("AveragePool", strides=(2, 2)),
        note="hls4ml: refers to a conversion that cannot be made",
    ),
    c("AveragePool 2D, 3x3, quantiser behind", then_quant(pool("AveragePool", (3, 3)), scale=0.25)),
    c("AveragePool 2D, 3x3, no quantiser behind", pool("AveragePool", (3, 3)), APPROXIMATE),
    c(
        "AveragePool 2D, padded, padding counted",
        pool("AveragePool", pads=PADS, strides=(2, 2), count_include_pad=1),
    ),
    c(
        "AveragePool 2D, padded, padding not counted",
        pool("AveragePool", pads=PADS, strides=(2, 2)),
    ),
    c("AveragePool 2D, ceil_mode", pool("AveragePool", (4, 4), strides=(4, 4), ceil_mode=1)),
    c("AveragePool 1D", pool("AveragePool", (2,), strides=(2,)), shape=LINE),
    c(
        "GlobalAveragePool 2D",
        one("GlobalAveragePool"),
        shape=(1, 4, 4, 4),
        note="hls4ml: channels mixed, sum overflows",
    ),
    c(
        "GlobalAveragePool 2D of 36, quantiser behind",
        then_quant(one("GlobalAveragePool"), scale=0.125),
    ),
    c("GlobalAveragePool 1D", one("GlobalAveragePool"), shape=LINE),
    c("GlobalMaxPool 2D", one("GlobalMaxPool"), note="hls4ml: channels mixed"),
    c("GlobalMaxPool 1D", one("GlobalMaxPool"), shape=LINE),
    c(
        "ReduceMean over the image (dynamo's global average)",
        reduce("ReduceMean", (2, 3), 1),
        shape=(1, 4, 4, 4),
    ),
    c("ReduceMean without keepdims", reduce("ReduceMean", (2, 3), 0), shape=(1, 4, 4, 4)),
    c("ReduceMean over channels", reduce("ReduceMean", (1,), 1), shape=(1, 4, 4, 4)),
    c("ReduceMax over the image", reduce("ReduceMax", (2, 3), 1)),
    c("AveragePool 2D, 3x3, times 9, Trunc", truncated_average),
    c(
        "GlobalAveragePool times the pixels",
        lambda b, x: b.node(
            "Mul", [b.node("GlobalAveragePool", [x]), b.constant(float(np.prod(IMAGE[2:])))]
        ),
    ),
    c(
        "QuantAvgPool2d",
        lambda b, x: b.node(
            "QuantAvgPool2d", [x], DOMAIN, stride=2, kernel=2, ibits=5, obits=5, signed=1
        ),
        quant=(5, 1.0, True),
    ),
    c(
        "Im2Col",
        lambda b, x: b.node(
            "Im2Col", [x], DOMAIN, stride=(1, 1), kernel_size=(2, 2), input_shape="(1, 4, 3, 2)"
        ),
        shape=(1, 4, 3, 2),
    ),
    c("Conv, channels last", channels_last_conv, shape=(1, 4, 3, 2)),
    c(
        "MaxPool, channels last",
        lambda b, x: b.node("MaxPool", [x], LAST, kernel_shape=(2, 2), strides=(1, 1)),
        shape=(1, 4, 3, 2),
    ),
    c(
        "Im2Col with an attribute of a backend",
        lambda b, x: b.node("Im2Col", [x], DOMAIN, parallel_window=1),
        "HW388",
        shape=(1, 4, 3, 2),
    ),
)
