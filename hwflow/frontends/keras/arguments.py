"""Which arguments of layers and quantisers are read, and the refusal of all others.

Every argument of what is converted is read, or says nothing about inference, or has to have its
default: a newer framework's argument that nobody here knows is refused by its name, never passed
over. The names are those of ``tf_keras``, QKeras 0.9, Keras 3 and HGQ2 0.2; tests walk the
constructors of all of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from hwflow.frontends.keras.writer import Writer
from hwflow.ir.qonnx.model import printable

INERT = frozenset(
    {
        # of every layer
        "name", "trainable", "dtype", "dynamic", "autocast", "batch_input_shape", "build_config",
        # training
        "rate", "noise_shape", "seed", "force_generator", "rng_type", "stddev", "l1", "l2",
        "momentum", "synchronized", "fused", "renorm", "renorm_clipping", "renorm_momentum",
        "virtual_batch_size", "adjustment", "ema_freeze_delay", "folding_mode",
        "use_stochastic_rounding", "use_ste", "use_variables", "var_name", "temperature",
        "quantization_delay", "ema_decay", "po2_rounding", "current_step",
        "number_of_unrolls", "bn_momentum", "dropout", "recurrent_dropout", "unit_forget_bias",
        # how a recurrent layer is computed
        "unroll", "implementation", "use_cudnn", "enable_caching_device",
        # ranges that QKeras keeps for old files and does not use
        "kernel_range", "bias_range", "depthwise_range", "beta_range", "gamma_range",
        # how a shape came about that the arrays have
        "rank", "shared_axes", "output_shape",
        # how much hardware HGQ expects, and how it trains
        "enable_ebops", "ebops_factor", "table_idxs", "beta0", "parallelization_factor",
        "allow_heterogeneous_input", "allow_heterogeneous_table", "override_oq_k0_to_0",
    }
)  # fmt: skip
"""Arguments that say nothing about inference, or nothing that the arrays do not say."""

_INERT_ENDS = ("_initializer", "_regularizer", "_constraint")

_DENSE = {"units", "activation", "use_bias", "kernel_quantizer", "bias_quantizer"}
_WINDOW = {"kernel_size", "strides", "padding", "data_format", "dilation_rate", "activation",
           "use_bias", "bias_quantizer"}  # fmt: skip
_CONV = {*_WINDOW, "filters", "groups", "kernel_quantizer"}
_DEPTHWISE = {*_WINDOW, "depth_multiplier", "depthwise_quantizer"}
_SEPARABLE = {*_DEPTHWISE, "filters", "pointwise_quantizer"}
_POOL = {"pool_size", "strides", "padding", "data_format", "average_quantizer", "activation"}
_GLOBAL_POOL = {"data_format", "keepdims", "average_quantizer", "activation"}
_NORM = {"axis", "epsilon", "center", "scale"}
_NORM_QUANTIZERS = {f"{role}_quantizer" for role in ("beta", "gamma", "mean", "variance")}
_ENDS = {"iq_conf", "oq_conf", "enable_iq", "enable_oq"}
_WEIGHTS = {"kq_conf", "bq_conf"}
_RECURRENT = {"units", "activation", "use_bias", "return_sequences", "go_backwards", "stateful",
              "return_state", "time_major", "zero_output_for_mask",
              "kernel_quantizer", "recurrent_quantizer", "bias_quantizer",
              "state_quantizer"}  # fmt: skip
_STATES = {*_WEIGHTS, "rkq_conf", "sq_conf", "rhq_conf", "paq_conf", "praq_conf", "enable_sq"}
_EINSUM = {"equation", "bias_axes", "activation"}
_SEVERAL_ENDS = {"iq_confs", *_ENDS}
_ATTENTION = {
    "num_heads", "key_dim", "value_dim", "use_bias", "output_shape", "attention_axes", "fuse",
    "stable_softmax", "softmax_allow_heterogeneous_table", *_ENDS, "dropout",
    *(f"qkvo_{role}_conf" for role in ("iq", "kq", "bq", "oq")),
    *(f"softmax_{role}_conf" for role in ("iq", "exp_iq", "exp_oq", "inv_iq", "inv_oq", "oq")),
}  # fmt: skip
_TABLES = {"n_hl", "d_hl", "activation", "subnn_activation", "toq_conf", "use_bias", "batch_norm",
           "bn_center", "bn_scale", "bn_epsilon"}  # fmt: skip

READ: dict[str, frozenset[str]] = {
    name: frozenset(arguments)
    for names, arguments in (
        (("Dense", "QDense"), {*_DENSE, *_ENDS, *_WEIGHTS}),
        (("Conv1D", "QConv1D", "Conv2D", "QConv2D"), {*_CONV, *_ENDS, *_WEIGHTS}),
        (("QConv2DBatchnorm",), {*_CONV, "epsilon", "scale", "axis"}),
        (("DepthwiseConv1D", "DepthwiseConv2D", "QDepthwiseConv2D"), _DEPTHWISE),
        (("QDepthwiseConv2DBatchnorm",), {*_DEPTHWISE, "epsilon", "scale", "axis"}),
        (("SeparableConv1D", "SeparableConv2D", "QSeparableConv1D", "QSeparableConv2D"),
         _SEPARABLE),
        (("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D", "QMaxPooling1D",
          "QMaxPooling2D", "QAveragePooling1D", "QAveragePooling2D"), {*_POOL, *_ENDS}),
        (("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D",
          "GlobalAveragePooling2D", "QGlobalMaxPooling1D", "QGlobalMaxPooling2D",
          "QGlobalAveragePooling1D", "QGlobalAveragePooling2D"), {*_GLOBAL_POOL, *_ENDS}),
        (("SimpleRNN", "QSimpleRNN"), {*_RECURRENT, *_ENDS, *_STATES}),
        (("LSTM", "QLSTM"), {*_RECURRENT, "recurrent_activation"}),
        (("GRU", "QGRU"), {*_RECURRENT, *_ENDS, *_STATES, "recurrent_activation", "reset_after"}),
        (("Bidirectional", "QBidirectional"), {"layer", "backward_layer", "merge_mode",
                                               "weights"}),
        (("BatchNormalization",), _NORM),
        (("LayerNormalization",), {*_NORM, "rms_scaling"}),
        (("RMSNormalization",), {"axis", "epsilon"}),
        (("Rescaling",), {"scale", "offset"}),
        (("Normalization",), {"axis", "mean", "variance", "invert"}),
        (("QBatchNormalization",), {*_NORM, *_NORM_QUANTIZERS, *_ENDS, *_WEIGHTS}),
        (("QBatchNormDense",), {*_DENSE, *_ENDS, *_WEIGHTS, "scale", "epsilon"}),
        (("EinsumDense",), _EINSUM),
        (("QEinsumDense",), {*_EINSUM, *_ENDS, *_WEIGHTS}),
        (("QEinsumDenseBatchnorm",),
         {*_EINSUM, *_ENDS, *_WEIGHTS, "scale", "center", "epsilon", "normalize_axes"}),
        (("Activation", "QActivation"), {"activation"}),
        (("QAdaptiveActivation",), {"activation", "total_bits", "symmetric", "per_channel",
                                    "relu_neg_slope", "relu_upper_bound"}),
        (("QUnaryFunctionLUT", "QAffinedUnaryFunctionLUT"), {"activation", *_ENDS}),
        (("QSoftmax",), {"axis", "axes", "stable", "input_scaler", "exp_iq_conf", "exp_oq_conf",
                         "inv_iq_conf", "inv_oq_conf", *_ENDS}),
        (("QEinsum",), {"equation", *_SEVERAL_ENDS}),
        (("Dot",), {"axes", "normalize"}),
        (("QDot",), {"axes", *_SEVERAL_ENDS}),
        (("Conv1DTranspose", "Conv2DTranspose", "QConv2DTranspose"),
         {*_WINDOW, "filters", "kernel_quantizer", "output_padding"}),
        (("QMultiHeadAttention",), _ATTENTION),
        (("QLinformerAttention",),
         {*_ATTENTION, "lin_kv_proj_dim", "share_kv_proj", "lin_kv_proj_mode"}),
        (("QSum",), {"axes", "scale", "keepdims", *_ENDS}),
        (("QMeanPow2",), {"axes", "keepdims", *_ENDS}),
        (("QAdd", "QSubtract", "QMultiply", "QMaximum", "QMinimum", "QAveragePow2"),
         _SEVERAL_ENDS),
        (("QDenseT",), {*_TABLES, *_ENDS, "n_out"}),
        (("QConvT1D", "QConvT2D"), {*_TABLES, *_WINDOW, *_ENDS, "filters", "groups"}),
        (("QEinsumDenseT",), {*_TABLES, *_EINSUM, *_ENDS, "normalize_axes"}),
        (("Quantizer",), {"config"}),
        (("ReLU",), {"max_value", "negative_slope", "threshold"}),
        (("LeakyReLU",), {"alpha", "negative_slope"}),
        (("PReLU",), set()),
        (("ELU",), {"alpha"}),
        (("Softmax", "Concatenate"), {"axis"}),
        (("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), set()),
        (("Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
          "ActivityRegularization"), set()),
        (("SpatialDropout2D",), {"data_format"}),
        (("Flatten",), {"data_format"}),
        (("Reshape",), {"target_shape"}),
        (("Permute",), {"dims"}),
        (("RepeatVector",), {"n"}),
        (("UpSampling1D", "UpSampling2D"), {"size", "interpolation", "data_format"}),
        (("ZeroPadding1D", "ZeroPadding2D"), {"padding", "data_format"}),
        (("Cropping1D", "Cropping2D"), {"cropping", "data_format"}),
        # quantisers on activations; on weights the framework evaluates them with all they have
        (("quantized_bits",),
         {"bits", "integer", "symmetric", "keep_negative", "alpha", "qnoise_factor"}),
        (("quantized_relu",), {"bits", "integer", "use_sigmoid", "negative_slope",
                               "relu_upper_bound", "is_quantized_clip", "qnoise_factor"}),
        (("quantized_tanh",), {"bits", "symmetric", "use_real_tanh"}),
        (("quantized_sigmoid",), {"bits", "symmetric", "use_real_sigmoid"}),
        (("quantized_hswish",), {"bits", "integer", "symmetric", "keep_negative", "alpha",
                                 "qnoise_factor", "relu_shift", "relu_upper_bound"}),
        (("quantized_relu_po2",), {"bits", "max_value", "negative_slope",
                                   "quadratic_approximation", "log2_rounding", "qnoise_factor"}),
        (("binary",), {"use_01", "alpha"}),
        # (use_real_sigmoid is of what they draw in training)
        (("stochastic_binary",), {"use_01", "alpha", "use_real_sigmoid"}),
        (("ternary",), {"alpha", "threshold"}),
        (("stochastic_ternary",), {"alpha", "threshold", "use_real_sigmoid"}),
        (("HGQ quantizer",),
         {"q_type", "round_mode", "overflow_mode", "scaler", "affine", "is_weight", "trainable"}),
    )
    for name in names
}  # fmt: skip
"""What the conversion of a layer, or of a quantiser on an activation, reads, by class name."""

_ONLY_AUTOMATIC = {"scale_axis"}
"""Axes of scales that follow the data, which are refused; beside a given scale they say nothing."""

HGQ_TRAINING = frozenset(
    {"place", "k0", "b0", "i0", "f0", "bc", "ic", "fc", "br", "ir", "fr", "i_decay_speed",
     "homogeneous_axis", "heterogeneous_axis", "qnoise_factor", "fraction_bits"}
)  # fmt: skip
"""Where training starts, and how it goes on; the bits that it arrived at are arrays of the file.

HGQ2 0.2 adds ``qnoise_factor`` in training only (``hgq/quantizer/quantizer.py``)."""

_SILENT = (None, False)
"""Values of an unknown argument of a file that switch nothing on."""


def check_layer(b: Writer, layer: Any, kind: str) -> None:
    """Refuse a live layer with an argument that its conversion does not read.

    Args:
        b: for messages.
        layer: a layer of Keras 2.
        kind: the class whose conversion it gets.

    Raises:
        RefusedError: HW281, an argument has another value than its default.
    """
    _refuse_unread(b, kind, layer, "layer")


def check_quantizer(b: Writer, quantizer: Any) -> None:
    """Refuse a live quantiser on an activation with an argument that its conversion does not read.

    Raises:
        RefusedError: HW282.
    """
    if type(quantizer).__name__ not in READ:
        return  # one that is refused whatever its arguments
    _refuse_unread(b, type(quantizer).__name__, quantizer, "quantiser")


def check_settings(b: Writer, kind: str, settings: Mapping[str, Any]) -> None:
    """Refuse a layer of a file with a setting that its conversion does not read.

    Raises:
        RefusedError: HW281.
    """
    for name, value in settings.items():
        if not _accounted(kind, name) and not any(value is v for v in _SILENT):
            raise _refusal(b, "layer", name, value, "no such setting")


def check_hgq_quantizer(b: Writer, settings: Mapping[str, Any]) -> None:
    """Refuse a quantiser of HGQ with a setting that is not read.

    Raises:
        RefusedError: HW282.
    """
    known = READ["HGQ quantizer"] | HGQ_TRAINING
    for name, value in settings.items():
        if name not in known and not any(value is v for v in _SILENT):
            raise _refusal(b, "quantiser", name, value, "no such setting")


def _refuse_unread(b: Writer, kind: str, thing: Any, what: str) -> None:
    defaults = _defaults(type(thing))
    for name, value in _values(thing, defaults):
        if _accounted(kind, name):
            continue
        default = defaults.get(name)
        if not _same(value, default):
            raise _refusal(b, what, name, value, f"{name} = {printable(repr(default))}")


def _values(thing: Any, defaults: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the arguments that an object was made with, as far as it tells."""
    config = thing.get_config()
    yield from config.items()
    for name in defaults:
        if name not in config and not callable(getattr(type(thing), name, None)):
            yield name, getattr(thing, name, defaults[name])


def _defaults(cls: type) -> dict[str, Any]:
    """Return the defaults of the arguments of a class and its bases, where they have any."""
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        if "__init__" not in base.__dict__ or base is object:
            continue
        for parameter in inspect.signature(base.__dict__["__init__"]).parameters.values():
            if parameter.default is not parameter.empty:
                found.setdefault(parameter.name, parameter.default)
    return found


def _accounted(kind: str, name: str) -> bool:
    read = READ.get(kind, frozenset())
    return name in read or name in INERT or name in _ONLY_AUTOMATIC or name.endswith(_INERT_ENDS)


def _same(value: Any, default: Any) -> bool:
    """Return whether a value is its default, however it is written."""
    try:
        return bool(np.array_equal(np.asarray(value), np.asarray(default)))
    except (TypeError, ValueError):
        return bool(value == default)


def _refusal(b: Writer, what: str, name: str, value: Any, supported: str) -> Exception:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return b.refusal(
        f"{what} with an argument that is not known",
        code="HW282" if what == "quantiser" else "HW281",
        found=f"{printable(name)} = {printable(shown)}",
        supported=supported,
        help="leave the argument out, and train again",
    )
