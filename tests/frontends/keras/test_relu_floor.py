"""The floor of QKeras' quantized_relu is written as the relu that it is, but not at a port."""

from types import SimpleNamespace

from hwflow.frontends.keras.quantizers import _quantized_relu
from hwflow.frontends.keras.writer import Writer


def test_a_relu_stands_before_the_unsigned_quantiser() -> None:
    q = SimpleNamespace(
        bits=4, integer=2, negative_slope=0.0, use_sigmoid=0, relu_upper_bound=None,
        is_quantized_clip=True, qnoise_factor=1.0, use_stochastic_rounding=False,
    )  # fmt: skip
    b = Writer("net")
    x = b.input("x", (4,), "float32")
    b.layer = "act"
    _quantized_relu(b, x, q)
    assert [node.op_type for node in b.nodes] == ["Quant"]
    inner = b.unary("Neg", x)
    _quantized_relu(b, inner, q)
    assert [node.op_type for node in b.nodes[1:]] == ["Neg", "Relu", "Quant"]
