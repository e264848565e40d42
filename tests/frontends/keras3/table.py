"""HGQ's layers and quantisers, layers of Keras 3, and the graphs that they form."""

from typing import Any

from tests.frontends.keras3.case import IMAGE, SERIES, Body, Case

SAT = {"overflow_mode": "SAT"}
CHANNELS = {"heterogeneous_axis": (-1,)}


def series(name: str, body: Body, **given: Any) -> Case:
    return Case(name=name, body=body, shape=SERIES, **given)


def image(name: str, body: Body, **given: Any) -> Case:
    return Case(name=name, body=body, shape=IMAGE, **given)


def quantizer(name: str, outcome: str = "exact", note: str = "", **settings: Any) -> Case:
    return Case(
        name=f"Quantizer, {name}",
        body=lambda k, q, config, x: q.Quantizer(config("kif", "datalane", **settings))(x),
        outcome=outcome,
        note=note,
    )


def table(function: str, outcome: str = "exact") -> Case:
    def body(k: Any, q: Any, config: Any, x: Any) -> Any:
        conf = config("kbi", "table", overflow_mode="SAT")
        return q.QUnaryFunctionLUT(function, oq_conf=conf)(x)

    return Case(name=f'QUnaryFunctionLUT("{function}")', body=body, outcome=outcome, tables=True)


def merge(name: str, outcome: str = "exact") -> Case:
    return Case(
        name=name,
        body=lambda k, q, c, x: getattr(q, name)()([x, q.QDense(6)(x)]),
        outcome=outcome,
    )


QUANTIZERS = (
    quantizer("kif, RND, WRAP"),
    *(
        quantizer(f"kif, {mode}, SAT", overflow_mode="SAT", round_mode=mode)
        for mode in ("TRN", "RND", "RND_CONV", "TRN_ZERO", "RND_ZERO", "RND_INF", "RND_MIN_INF")
    ),
    quantizer("kif, S_RND, SAT_SYM", overflow_mode="SAT_SYM", round_mode="S_RND"),
    quantizer("per channel", **CHANNELS),
    quantizer("one format, SAT, RND_CONV", heterogeneous_axis=(), round_mode="RND_CONV", **SAT),
    quantizer("one format, WRAP", heterogeneous_axis=()),
    quantizer("scaler=0.25, affine=(0.5, 1)", scaler=0.25, affine=(0.5, 1.0)),
    quantizer("WRAP_SM", outcome="HW282", overflow_mode="WRAP_SM"),
    Case(
        name="Quantizer, kbi, WRAP",
        body=lambda k, q, config, x: q.Quantizer(config("kbi", "datalane"))(x),
    ),
    Case(
        name="Quantizer, kbi, SAT_SYM",
        body=lambda k, q, c, x: q.Quantizer(c("kbi", "datalane", overflow_mode="SAT_SYM"))(x),
    ),
    Case(
        name="Quantizer, HardTanhConfig",
        body=lambda k, q, c, x: q.Quantizer(hard("HardTanhConfig"))(x),
    ),
    Case(
        name="Quantizer, HardSigmoidConfig",
        body=lambda k, q, c, x: q.Quantizer(hard("HardSigmoidConfig"))(x),
    ),
    Case(name="dummy quantiser", body=lambda k, q, c, x: q.Quantizer(c("dummy"))(
        q.Quantizer(c("kif", "datalane"))(x))),
)  # fmt: skip


def hard(name: str) -> Any:
    from hgq.quantizer import config

    return getattr(config, name)()


LAYERS = (
    Case(name="QDense", body=lambda k, q, c, x: q.QDense(4)(x)),
    Case(name="QDense, SAT", body=lambda k, q, c, x: q.QDense(4)(x), scope=SAT),
    Case(name="QDense, relu, output quantiser",
         body=lambda k, q, c, x: q.QDense(4, activation="relu", enable_oq=True)(x)),
    Case(name="QDense, no bias, no input quantiser",
         body=lambda k, q, c, x: q.QDense(4, use_bias=False, enable_iq=False)(
             q.Quantizer(c("kif", "datalane"))(x))),
    Case(name="QDense, weights that wrap",
         body=lambda k, q, c, x: q.QDense(3, kq_conf=c("kif", "weight", overflow_mode="WRAP"))(x)),
    Case(name="QDense, frozen weights that wrap", body=lambda k, q, c, x: frozen(q, c)(x)),
    series("QDense on two axes", lambda k, q, c, x: q.QDense(4)(x)),
    Case(name="QBatchNormDense", body=lambda k, q, c, x: q.QBatchNormDense(3)(x)),
    series("QEinsumDense, ...x,xy->...y",
           lambda k, q, c, x: q.QEinsumDense("...x,xy->...y", (6, 4), bias_axes="y")(x)),
    series("QEinsumDense, other equations",
           lambda k, q, c, x: q.QEinsumDense("btc,td->bdc", (4, 3))(x)),
    series("QEinsumDense, heads and bias",
           lambda k, q, c, x: q.QEinsumDense("btc,chd->bhtd", (2, 6, 3), bias_axes="hd")(x)),
    series("QEinsum", lambda k, q, c, x: q.QEinsum("bij,bkj->bik")([x, q.QDense(3)(x)])),
    series("QDot", lambda k, q, c, x: q.QDot(axes=(2, 2))([x, q.QDense(3)(x)])),
    series("QEinsumDenseBatchnorm",
           lambda k, q, c, x: q.QEinsumDenseBatchnorm("btc,cd->btd", (6, 4), bias_axes="d")(x)),
    series("QConv1D, dilation", lambda k, q, c, x: q.QConv1D(3, 2, dilation_rate=2)(x)),
    series("QConv1D, causal",
           lambda k, q, c, x: q.QConv1D(3, 3, padding="causal")(x), scope=CHANNELS),
    image("QConv2D, valid", lambda k, q, c, x: q.QConv2D(3, 3)(x)),
    image("QConv2D, same, strides 2, relu",
          lambda k, q, c, x: q.QConv2D(3, 3, padding="same", strides=2, activation="relu")(x)),
    image("QConv2D, per channel, SAT", lambda k, q, c, x: q.QConv2D(3, 3)(x),
          scope={**CHANNELS, **SAT}),
    image("QConv2D, groups", lambda k, q, c, x: q.QConv2D(4, 3, groups=2)(x)),
    Case(name="QBatchNormalization", body=lambda k, q, c, x: q.QBatchNormalization()(x)),
    Case(name="QBatchNormalization, no scale, no center",
         body=lambda k, q, c, x: q.QBatchNormalization(scale=False, center=False)(x),
         note="HGQ2 0.2 adds 1 where there is no center, and so does the hardware"),
    *(table(f) for f in ("tanh", "sigmoid", "relu", "exponential", "hard_sigmoid", "hard_tanh",
                         "silu")),
    Case(name='QAffinedUnaryFunctionLUT("tanh")', tables=True,
         body=lambda k, q, c, x: q.QAffinedUnaryFunctionLUT("tanh")(x)),
    Case(name="QSoftmax", body=lambda k, q, c, x: q.QSoftmax()(x), tables=True),
    image("QMaxPooling2D", lambda k, q, c, x: q.QMaxPooling2D(2)(x)),
    series("QMaxPooling1D", lambda k, q, c, x: q.QMaxPooling1D(2)(x)),
    image("QAveragePooling2D", lambda k, q, c, x: q.QAveragePooling2D(2)(x)),
    image("QAveragePooling2D of nine, output quantiser",
          lambda k, q, c, x: q.QAveragePooling2D(3, enable_oq=True)(x)),
    image("QGlobalMaxPooling2D", lambda k, q, c, x: q.QGlobalMaxPooling2D()(x)),
    image("QGlobalAveragePooling2D, QDense",
          lambda k, q, c, x: q.QDense(2)(q.QGlobalAveragePooling2D()(x))),
    series("QSum, last axis", lambda k, q, c, x: q.QSum(axes=-1)(x)),
    series("QMeanPow2, first axis", lambda k, q, c, x: q.QMeanPow2(axes=1)(x)),
    *(merge(f"Q{n}") for n in
      ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "AveragePow2")),
    Case(name="QDot of vectors",
         body=lambda k, q, c, x: q.QDot(axes=-1)([x, q.QDense(6)(x)])),
    series("QSoftmax, first axis", lambda k, q, c, x: q.QSoftmax(axis=1)(x), tables=True),
    series("QSoftmax, both axes", lambda k, q, c, x: q.QSoftmax(axis=(1, 2))(x), tables=True),
    series("QMultiHeadAttention", lambda k, q, c, x: q.QMultiHeadAttention(2, 3)(x, x),
           tables=True),
    series("QMultiHeadAttention, fused, by name", lambda k, q, c, x: q.QMultiHeadAttention(
        2, 3, value_dim=2, fuse="kv", use_bias=False, stable_softmax=False)(
            x, key=q.QDense(4)(x), value=q.QDense(4)(x)), tables=True),
    series("QLinformerAttention", lambda k, q, c, x: q.QLinformerAttention(2, 3, 2)(x, x),
           tables=True),
    series("QLinformerAttention, shared", lambda k, q, c, x: q.QLinformerAttention(
        2, 3, 2, share_kv_proj=True)(x, x), tables=True),
    Case(name="QDenseT", body=lambda k, q, c, x: q.QDenseT(3)(x)),
    Case(name="QDenseT, two hidden layers, relu, bits for each table",
         body=lambda k, q, c, x: q.QDenseT(3, n_hl=2, d_hl=4, subnn_activation="relu",
                                           activation="relu", toq_conf=own_bits(c))(x)),
    series("QDenseT on two axes, batch normalisation",
           lambda k, q, c, x: q.QDenseT(3, batch_norm=True)(x)),
    Case(name="QDenseT, no input quantiser", outcome="HW374",
         body=lambda k, q, c, x: q.QDenseT(3, enable_iq=False)(x)),
    series("QConvT1D, dilation, one format for all positions", scope={"homogeneous_axis": (0, 1)},
           body=lambda k, q, c, x: q.QConvT1D(
               3, 2, dilation_rate=2, subnn_activation="sigmoid")(x)),
    image("QConvT2D, same, strides 2",
          lambda k, q, c, x: q.QConvT2D(
              2, (3, 2), padding="same", strides=2, subnn_activation="tanh")(x)),
    series("QEinsumDenseT, btc,cd->btd",
           lambda k, q, c, x: q.QEinsumDenseT("btc,cd->btd", (6, 4), bias_axes="d")(x)),
    series("QEinsumDenseT, btc,td->bdc, batch normalisation",
           lambda k, q, c, x: q.QEinsumDenseT(
               "btc,td->bdc", (4, 3), bias_axes="d", batch_norm=True)(x)),
)  # fmt: skip

RECURRENT = (
    series("QSimpleRNN", lambda k, q, c, x: q.QSimpleRNN(3)(x)),
    series("QSimpleRNN, state quantiser, all steps", scope=SAT,
           body=lambda k, q, c, x: q.QSimpleRNN(3, enable_sq=True, return_sequences=True)(x)),
    series("QGRU", lambda k, q, c, x: q.QGRU(2)(x)),
    series("QGRU, reset before, no bias, backwards",
           lambda k, q, c, x: q.QGRU(2, reset_after=False, use_bias=False, go_backwards=True)(x)),
    series("QGRU, tanh, sigmoid, SAT", scope=SAT, body=lambda k, q, c, x: q.QGRU(
        2, activation="tanh", recurrent_activation="sigmoid", return_sequences=True)(x)),
    series("Bidirectional(QSimpleRNN), average",
           lambda k, q, c, x: k.layers.Bidirectional(q.QSimpleRNN(2), merge_mode="ave")(x)),
    series("QGRU, return_state", outcome="HW383",
           body=lambda k, q, c, x: q.QGRU(2, return_state=True)(x)[0]),
    series("QGRU, sq_conf with an offset", outcome="HW382",
           body=lambda k, q, c, x: q.QGRU(2, sq_conf=c("kif", affine=(1.0, 0.5)))(x)),
    series("GRU", lambda k, q, c, x: k.layers.GRU(2)(x), outcome="HW380",
           note="in floating point: for `hwflow quantize`"),
)  # fmt: skip


def own_bits(config: Any) -> Any:
    return config("kif", "table", homogeneous_axis=(0,), heterogeneous_axis=None)


def frozen(q: Any, config: Any) -> Any:
    layer = q.QDense(3, kq_conf=config("kif", "weight", overflow_mode="WRAP"))
    layer.trainable = False
    return layer


GRAPHS = (
    Case(name="MLP", body=lambda k, q, c, x: q.QDense(4)(q.QDense(5, activation="relu")(x))),
    Case(name="MLP, SAT", scope=SAT,
         body=lambda k, q, c, x: q.QDense(4)(q.QDense(5, activation="relu")(x))),
    image("CNN", lambda k, q, c, x: q.QDense(3)(k.layers.Flatten()(
        q.QMaxPooling2D(2)(q.QConv2D(3, 3, activation="relu")(x))))),
    Case(name="residual", body=lambda k, q, c, x: q.QDense(3)(
        q.QAdd()([x, q.QDense(6, activation="relu")(x)]))),
    Case(name="a + b of tensors",
         body=lambda k, q, c, x: q.QDense(6)(x) + q.Quantizer(c("kif", "datalane"))(x)),
    Case(name="Concatenate, Reshape", body=lambda k, q, c, x: q.QDense(3)(k.layers.Concatenate()(
        [q.QDense(3)(x), k.layers.Reshape((2,))(q.QDense(2)(x))]))),
    image("ZeroPadding2D, MaxPooling2D of Keras", lambda k, q, c, x: q.QConv2D(2, 2)(
        k.layers.MaxPooling2D(2)(k.layers.ZeroPadding2D(1)(q.Quantizer(c("kif", "datalane"))(x))))),
    Case(name="Sequential in a model", body=lambda k, q, c, x: k.Sequential(
        [k.Input((6,)), q.QDense(5), q.QDense(3)], name="inner")(x)),
    Case(name="a layer that is called twice", body=lambda k, q, c, x: twice(q.QDense(6))(x)),
    Case(name="Dropout, Activation of Keras", body=lambda k, q, c, x: q.QDense(3)(
        k.layers.Activation("relu")(k.layers.Dropout(0.5)(q.QDense(5)(x))))),
    Case(name="Dense of Keras between HGQ's layers", outcome="HW211",
         body=lambda k, q, c, x: q.QDense(3)(k.layers.Dense(4)(x)),
         note="its weights have no quantiser"),
    Case(name="Lambda", outcome="HW280",
         body=lambda k, q, c, x: k.layers.Lambda(lambda v: v * 2)(x)),
    Case(name="keras.ops.sin", outcome="HW280", body=lambda k, q, c, x: k.ops.sin(x)),
)  # fmt: skip


def twice(layer: Any) -> Any:
    return lambda x: layer(layer(x))
