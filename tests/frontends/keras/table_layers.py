"""Layers, and the graphs that they form."""

from typing import Any

from tests.frontends.keras.case import APPROXIMATE, IMAGE, NARROW, SERIES, WIDE, Case

W = "quantized_bits(4, 0, alpha=1)"
AUTO = "quantized_bits(4, 0, alpha='auto_po2')"
FLOAT = "quantized_bits(4, 0, alpha='auto')"
OUT = "quantized_bits(8, 4, alpha=1)"
FINE = "quantized_bits(18, 6, alpha=1)"
Q2 = {"kernel_quantizer": W, "bias_quantizer": W}
D2 = {"depthwise_quantizer": W, "bias_quantizer": W}
S2 = {"depthwise_quantizer": W, "pointwise_quantizer": W, "bias_quantizer": W}


def series(name: str, body: Any, **given: Any) -> Case:
    return Case(name=name, body=body, shape=SERIES, **given)


def image(name: str, body: Any, **given: Any) -> Case:
    return Case(name=name, body=body, shape=IMAGE, **given)


def plain(name: str, first: str = WIDE, **settings: Any) -> Case:
    """Return the case of a plain activation layer between quantisers."""
    text = ", ".join(f"{key}={v!r}" for key, v in settings.items())
    return Case(
        name=f"{name}({text})",
        body=lambda k, q, x: getattr(k, name)(**settings)(x),
        first=first,
        last=OUT,
    )


def function(name: str, outcome: str = "exact", first: str = WIDE) -> Case:
    return Case(
        name=f'Activation("{name}")',
        body=lambda k, q, x: k.Activation(name)(x),
        outcome=outcome,
        first=first,
        last=OUT if outcome == "exact" else "",
    )


def adapted(layer: Any, x: Any, integer: list[int]) -> Any:
    """Apply a layer whose training arrived at these integer bits, one or one per channel."""
    y = layer(x)
    most = [0.8 * 2.0**bits for bits in integer]
    layer.ema_min.assign([-m for m in most])
    layer.ema_max.assign(most)
    layer.quantizer.integer.assign(integer)
    return y


CONVOLUTIONS = (
    image("QConv2D, valid", lambda k, q, x: q.QConv2D(3, 3, **Q2)(x)),
    image("QConv2D, same", lambda k, q, x: q.QConv2D(3, 3, padding="same", **Q2)(x)),
    image("QConv2D, same, even kernel, strides 2",
          lambda k, q, x: q.QConv2D(3, (2, 4), strides=2, padding="same", **Q2)(x)),
    image("QConv2D, strides (1, 2)", lambda k, q, x: q.QConv2D(3, 3, strides=(1, 2), **Q2)(x)),
    image("QConv2D, dilation", lambda k, q, x: q.QConv2D(3, 2, dilation_rate=2, **Q2)(x)),
    image("QConv2D, groups",
          lambda k, q, x: q.QConv2D(4, 3, groups=2, kernel_quantizer=W, use_bias=False)(x)),
    image("QConv2D, alpha auto_po2",
          lambda k, q, x: q.QConv2D(3, 3, kernel_quantizer=AUTO, use_bias=False)(x)),
    image("QConv2D, alpha auto",
          lambda k, q, x: q.QConv2D(3, 3, kernel_quantizer=FLOAT, use_bias=False)(x), last=OUT),
    image("QConv2D, ternary, alpha auto",
          lambda k, q, x: q.QConv2D(
              3, 3, kernel_quantizer="ternary(alpha='auto')", use_bias=False)(x), last=OUT),
    image("QConv2D, activation",
          lambda k, q, x: q.QConv2D(3, 3, activation="quantized_relu(4, 2)", **Q2)(x)),
    image("QConv2D, kernel without a quantiser",
          lambda k, q, x: q.QConv2D(3, 3, use_bias=False)(x), outcome="HW211"),
    image("Conv2D", lambda k, q, x: k.Conv2D(3, 3)(x), outcome="HW211",
          note="float weights: use QConv2D, or quantise the model first"),
    series("QConv1D, valid", lambda k, q, x: q.QConv1D(3, 3, **Q2)(x)),
    series("QConv1D, same, strides 2",
           lambda k, q, x: q.QConv1D(3, 4, strides=2, padding="same", **Q2)(x)),
    series("QConv1D, causal", lambda k, q, x: q.QConv1D(3, 3, padding="causal", **Q2)(x)),
    series("QConv1D, causal, dilation",
           lambda k, q, x: q.QConv1D(3, 2, padding="causal", dilation_rate=2, **Q2)(x)),
    series("QConv1D, alpha auto_po2",
           lambda k, q, x: q.QConv1D(3, 3, kernel_quantizer=AUTO, use_bias=False)(x)),
    image("QDepthwiseConv2D", lambda k, q, x: q.QDepthwiseConv2D(3, **D2)(x)),
    image("QDepthwiseConv2D, same, strides 2",
          lambda k, q, x: q.QDepthwiseConv2D(3, strides=2, padding="same", **D2)(x)),
    image("QDepthwiseConv2D, depth_multiplier 2",
          lambda k, q, x: q.QDepthwiseConv2D(3, depth_multiplier=2, **D2)(x)),
    image("QDepthwiseConv2D, alpha auto_po2, activation",
          lambda k, q, x: q.QDepthwiseConv2D(3, depthwise_quantizer=AUTO, use_bias=False,
                                             activation="quantized_relu(5, 2)")(x)),
    image("QSeparableConv2D", lambda k, q, x: q.QSeparableConv2D(3, 3, **S2)(x)),
    image("QSeparableConv2D, same, depth_multiplier 2",
          lambda k, q, x: q.QSeparableConv2D(3, 3, padding="same", depth_multiplier=2, **S2)(x)),
    image("QSeparableConv2D, alpha auto_po2, activation",
          lambda k, q, x: q.QSeparableConv2D(
              3, 3, depthwise_quantizer=AUTO, pointwise_quantizer=AUTO, use_bias=False,
              activation="quantized_relu(5, 2)")(x)),
    series("QSeparableConv1D", lambda k, q, x: q.QSeparableConv1D(3, 3, **S2)(x)),
    series("QSeparableConv1D, same, alpha auto_po2",
           lambda k, q, x: q.QSeparableConv1D(
               3, 3, padding="same", depthwise_quantizer=AUTO, pointwise_quantizer=AUTO,
               use_bias=False)(x)),
    image("QConv2DBatchnorm", lambda k, q, x: q.QConv2DBatchnorm(
        3, 3, kernel_quantizer=W, bias_quantizer="quantized_bits(8, 2, alpha=1)")(x)),
    image("QConv2DBatchnorm, batch_stats_folding, alpha auto_po2",
          lambda k, q, x: q.QConv2DBatchnorm(
              3, 3, folding_mode="batch_stats_folding", use_bias=False, kernel_quantizer=AUTO,
              bias_quantizer="quantized_bits(8, 2, alpha=1)")(x)),
    image("QConv2DBatchnorm without a bias quantiser",
          lambda k, q, x: q.QConv2DBatchnorm(3, 3, kernel_quantizer=W)(x), last=OUT),
    image("QDepthwiseConv2DBatchnorm", lambda k, q, x: q.QDepthwiseConv2DBatchnorm(
        3, depthwise_quantizer=W, bias_quantizer="quantized_bits(8, 2, alpha=1)")(x)),
)  # fmt: skip

NORMALIZATIONS = (
    Case(name="BatchNormalization", body=lambda k, q, x: k.BatchNormalization()(x), last=OUT),
    image("BatchNormalization of an image",
          lambda k, q, x: k.BatchNormalization()(x), last=OUT),
    image("BatchNormalization, neither scale nor center",
          lambda k, q, x: k.BatchNormalization(scale=False, center=False)(x), last=OUT),
    image("BatchNormalization, axis 1",
          lambda k, q, x: k.BatchNormalization(axis=1)(x), outcome="HW281"),
    image("QConv2D, BatchNormalization, quantized_relu",
          lambda k, q, x: q.QActivation("quantized_relu(4, 2)")(
              k.BatchNormalization()(q.QConv2D(3, 3, kernel_quantizer=W, use_bias=False)(x)))),
    image("LayerNormalization", lambda k, q, x: k.LayerNormalization()(x), outcome=APPROXIMATE),
    series("LayerNormalization over two axes, no scale",
           lambda k, q, x: k.LayerNormalization(axis=(1, 2), scale=False)(x), outcome=APPROXIMATE),
    image("LayerNormalization over the rows",
          lambda k, q, x: k.LayerNormalization(axis=1)(x), outcome="HW281"),
    Case(name="QBatchNormalization",
         body=lambda k, q, x: q.QBatchNormalization()(x), last=OUT,
         note="quantisers of its four parameters; QKeras never calls its activation"),
    image("QBatchNormalization of an image, quantized_bits",
          lambda k, q, x: q.QBatchNormalization(
              gamma_quantizer="quantized_bits(6, 2, alpha=1)",
              beta_quantizer="quantized_bits(6, 2, alpha=1)",
              mean_quantizer="quantized_bits(6, 2, alpha=1)",
              variance_quantizer="quantized_relu(6, 2)")(x), last=OUT),
)  # fmt: skip

POOLINGS = (
    image("MaxPooling2D", lambda k, q, x: k.MaxPooling2D(2)(x)),
    image("MaxPooling2D, same, strides", lambda k, q, x: k.MaxPooling2D(3, 2, padding="same")(x)),
    series("MaxPooling1D", lambda k, q, x: k.MaxPooling1D(2)(x)),
    image("AveragePooling2D", lambda k, q, x: k.AveragePooling2D(2)(x)),
    image("AveragePooling2D, 3x3, same",
          lambda k, q, x: k.AveragePooling2D(3, 2, padding="same")(x), last=OUT),
    series("AveragePooling1D", lambda k, q, x: k.AveragePooling1D(2)(x)),
    image("QAveragePooling2D", lambda k, q, x: q.QAveragePooling2D(
        2, average_quantizer="quantized_bits(4, 0, 1, alpha=1)",
        activation="quantized_bits(6, 3, alpha=1)")(x)),
    image("QAveragePooling2D, 3x3",
          lambda k, q, x: q.QAveragePooling2D(
              3, average_quantizer="quantized_bits(8, 0, 1, alpha=1)")(x), last=FINE),
    image("QAveragePooling2D without quantisers", lambda k, q, x: q.QAveragePooling2D(2)(x)),
    image("GlobalAveragePooling2D", lambda k, q, x: k.GlobalAveragePooling2D()(x), last=OUT),
    image("GlobalAveragePooling2D, keepdims",
          lambda k, q, x: k.GlobalAveragePooling2D(keepdims=True)(x), last=OUT),
    series("GlobalAveragePooling1D", lambda k, q, x: k.GlobalAveragePooling1D()(x)),
    image("QGlobalAveragePooling2D",
          lambda k, q, x: q.QGlobalAveragePooling2D(
              average_quantizer="quantized_bits(8, 0, 1, alpha=1)", activation=FINE)(x)),
    image("GlobalMaxPooling2D", lambda k, q, x: k.GlobalMaxPooling2D()(x)),
    series("GlobalMaxPooling1D", lambda k, q, x: k.GlobalMaxPooling1D()(x)),
)  # fmt: skip

PLAIN = (
    *(function(name) for name in (
        "linear", "relu", "relu6", "sigmoid", "tanh", "softsign", "elu", "selu", "hard_sigmoid")),
    *(function(name, first=NARROW) for name in (
        "softplus", "gelu", "mish", "exponential", "leaky_relu")),
    function("softmax", APPROXIMATE),
    function("swish"),
    plain("ReLU"),
    plain("ReLU", max_value=6.0),
    plain("ReLU", negative_slope=0.125, max_value=2.5),
    Case(name="ReLU(threshold=1.0)", body=lambda k, q, x: k.ReLU(threshold=1.0)(x),
         outcome="HW281"),
    plain("LeakyReLU", alpha=0.25),
    plain("LeakyReLU", NARROW),
    plain("ELU"),
    Case(name="PReLU", body=lambda k, q, x: k.PReLU()(x), last=OUT),
    image("PReLU(shared_axes=[1, 2])", lambda k, q, x: k.PReLU(shared_axes=[1, 2])(x), last=OUT),
    Case(name="Softmax", body=lambda k, q, x: k.Softmax()(x), outcome=APPROXIMATE),
    Case(name="Dropout, GaussianNoise, GaussianDropout",
         body=lambda k, q, x: k.GaussianDropout(0.5)(k.GaussianNoise(1.0)(k.Dropout(0.5)(x)))),
    Case(name="Dropout called with training=True",
         body=lambda k, q, x: k.Dropout(0.5)(x, training=True), outcome="HW281"),
    Case(name="Dense", body=lambda k, q, x: k.Dense(3)(x), outcome="HW211",
         note="float weights: use QDense, or quantise the model first"),
)  # fmt: skip

MOVES = (
    image("Flatten, QDense", lambda k, q, x: q.QDense(3, **Q2)(k.Flatten()(x)),
          note="Keras' order of an image's elements; no hardware"),
    image("QConv2D, Flatten, QDense",
          lambda k, q, x: q.QDense(3, **Q2)(k.Flatten()(q.QConv2D(3, 3, **Q2)(x)))),
    image("Reshape to a vector", lambda k, q, x: k.Reshape((-1,))(x)),
    image("Reshape, QConv1D", lambda k, q, x: q.QConv1D(3, 3, **Q2)(k.Reshape((12, 6))(x))),
    Case(name="Reshape to an image, QConv2D",
         body=lambda k, q, x: q.QConv2D(3, 2, **Q2)(k.Reshape((2, 3, 1))(x))),
    image("Permute, QConv2D", lambda k, q, x: q.QConv2D(3, 2, **Q2)(k.Permute((3, 1, 2))(x))),
    image("ZeroPadding2D, QConv2D",
          lambda k, q, x: q.QConv2D(3, 3, **Q2)(k.ZeroPadding2D(((1, 0), (2, 1)))(x))),
    series("ZeroPadding1D", lambda k, q, x: k.ZeroPadding1D((1, 2))(x)),
    image("Cropping2D", lambda k, q, x: k.Cropping2D(((1, 0), (2, 1)))(x)),
    series("Cropping1D", lambda k, q, x: k.Cropping1D((1, 2))(x)),
    series("QDense on every step", lambda k, q, x: q.QDense(4, **Q2)(x)),
    image("QDense on every pixel", lambda k, q, x: q.QDense(4, **Q2)(x)),
    image("QConv2D, QDense on every pixel",
          lambda k, q, x: q.QDense(4, **Q2)(q.QConv2D(3, 3, **Q2)(x))),
    Case(name="RepeatVector", body=lambda k, q, x: k.RepeatVector(3)(x)),
    Case(name="Lambda", body=lambda k, q, x: k.Lambda(lambda y: y * 2)(x), outcome="HW280"),
    Case(name="x + x instead of Add", body=lambda k, q, x: x + x, outcome="HW280"),
    Case(name="QAdaptiveActivation, quantized_relu", first=WIDE,
         body=lambda k, q, x: adapted(q.QAdaptiveActivation("quantized_relu", 4, 0), x, [2])),
    Case(name="QAdaptiveActivation, a slope", first=WIDE, body=lambda k, q, x: adapted(
        q.QAdaptiveActivation("quantized_relu", 5, 0, relu_neg_slope=0.25), x, [1])),
    image("QAdaptiveActivation, a slope, per channel", lambda k, q, x: adapted(
        q.QAdaptiveActivation("quantized_relu", 5, 0, relu_neg_slope=0.25, per_channel=True),
        x, [1, 2]), outcome="HW282"),
    image("QAdaptiveActivation, quantized_bits, per channel", lambda k, q, x: adapted(
        q.QAdaptiveActivation("quantized_bits", 4, 0, symmetric=False, per_channel=True),
        x, [0, 2])),
    image("data_format channels_first", lambda k, q, x: k.Flatten("channels_first")(x),
          outcome="HW281"),
)  # fmt: skip


def two(layer: str, **settings: Any) -> Any:
    """Return the body that joins two quantised images."""

    def body(k: Any, q: Any, x: Any) -> Any:
        left = q.QActivation("quantized_relu(4, 2)")(q.QConv2D(2, 3, padding="same", **Q2)(x))
        return getattr(k, layer)(**settings)([left, x])

    return body


def shared(k: Any, q: Any, x: Any) -> Any:
    layer = q.QDense(6, **Q2)
    again = layer(q.QActivation("quantized_bits(5, 2, alpha=1)")(layer(x)))
    return k.Add()([again, x])


def nested(k: Any, q: Any, x: Any) -> Any:
    import tf_keras

    inner = tf_keras.Sequential([k.Input((6,)), q.QDense(6, **Q2)])
    outer_in = k.Input((6,))
    outer = tf_keras.Model(outer_in, q.QActivation("quantized_relu(5, 2)")(inner(outer_in)))
    return outer(outer(x))


def nested_in_training(k: Any, q: Any, x: Any) -> Any:
    import tf_keras

    return tf_keras.Sequential([k.Input((6,)), k.Dropout(0.5)])(x, training=True)


def three(k: Any, q: Any, x: Any) -> Any:
    halves = [q.QActivation(f"quantized_bits({b}, 2, alpha=1)")(x) for b in (3, 4, 5)]
    return k.Add()(halves)


GRAPHS = (
    image("Add", two("Add")),
    image("Subtract", two("Subtract")),
    image("Multiply", two("Multiply")),
    image("Average", two("Average")),
    image("Maximum", two("Maximum")),
    image("Minimum", two("Minimum")),
    image("Concatenate", two("Concatenate")),
    image("Concatenate, axis 1", two("Concatenate", axis=1)),
    Case(name="Add of three", body=three),
    image("Multiply by a factor per channel",
          lambda k, q, x: k.Multiply()([x, q.QActivation("quantized_sigmoid(4)")(
              k.GlobalMaxPooling2D(keepdims=True)(x))])),
    Case(name="One layer called twice", body=shared),
    Case(name="Models in models, called twice", body=nested),
    Case(name="Model called with training=True", body=nested_in_training, outcome="HW281"),
)  # fmt: skip
