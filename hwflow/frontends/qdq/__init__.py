"""QDQ and QCDQ models: ``QuantizeLinear`` and ``DequantizeLinear`` become ``Quant``, exactly."""
