"""Layers of decoders, and sums of products."""

from tests.frontends.keras.case import NARROW
from tests.frontends.keras.table_layers import Q2, image, series

DECODERS = (
    image("UpSampling2D", lambda k, q, x: k.UpSampling2D((2, 3))(x)),
    image(
        "UpSampling2D, bilinear",
        lambda k, q, x: k.UpSampling2D((2, 4), interpolation="bilinear")(x),
    ),
    image(
        "UpSampling2D, bicubic",
        lambda k, q, x: k.UpSampling2D(interpolation="bicubic")(x),
        outcome="HW281",
    ),
    series("UpSampling1D, QConv1D", lambda k, q, x: q.QConv1D(3, 3, **Q2)(k.UpSampling1D(2)(x))),
    image("QConv2DTranspose, valid", lambda k, q, x: q.QConv2DTranspose(3, 3, **Q2)(x)),
    image(
        "QConv2DTranspose, same, strides 2",
        lambda k, q, x: q.QConv2DTranspose(3, 3, strides=2, padding="same", **Q2)(x),
    ),
    image(
        "QConv2DTranspose, strides wider than the kernel",
        lambda k, q, x: q.QConv2DTranspose(
            3, (2, 1), strides=3, activation="quantized_relu(4)", **Q2
        )(x),
    ),
    image(
        "QConv2DTranspose, output_padding",
        lambda k, q, x: q.QConv2DTranspose(
            2, (3, 4), strides=2, padding="same", output_padding=(1, 0), **Q2
        )(x),
    ),
    series(
        "Conv1DTranspose", lambda k, q, x: k.Conv1DTranspose(3, 4, strides=2)(x), outcome="HW211"
    ),
)

PRODUCTS = (
    series("EinsumDense", lambda k, q, x: k.EinsumDense("abc,bd->adc", (4, 3))(x), outcome="HW211"),
    series(
        "EinsumDense, the last axis and bias",
        lambda k, q, x: k.EinsumDense("...x,xy->...y", (8, 4), bias_axes="y")(x),
        outcome="HW211",
    ),
    series("Dot", lambda k, q, x: k.Dot((2, 2))([x, q.QActivation(NARROW)(q.QDense(3, **Q2)(x))])),
    image("Dot of images", lambda k, q, x: k.Dot(axes=3)([x, x])),
    series("Dot, normalised", lambda k, q, x: k.Dot(2, normalize=True)([x, x]), outcome="HW281"),
)
