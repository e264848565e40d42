"""Recurrent layers."""

from tests.frontends.keras.table_layers import FLOAT, OUT, Q2, W, series

Q4 = {**Q2, "recurrent_quantizer": W, "state_quantizer": "quantized_bits(6, 1, alpha=1)",
      "activation": "quantized_tanh(6)"}  # fmt: skip
"""Quantisers of a layer without gates."""
G4 = {**Q4, "recurrent_activation": "quantized_sigmoid(6)"}

RECURRENT = (
    series("QSimpleRNN", lambda k, q, x: q.QSimpleRNN(3, **Q4)(x)),
    series("QLSTM", lambda k, q, x: q.QLSTM(2, **G4)(x)),
    series("QLSTM, all steps, backwards",
           lambda k, q, x: q.QLSTM(2, return_sequences=True, go_backwards=True, **G4)(x)),
    series("QLSTM, no bias, hard_sigmoid", last=OUT,
           body=lambda k, q, x: q.QLSTM(2, **{**Q4, "use_bias": False, "bias_quantizer": None,
                                              "recurrent_activation": "hard_sigmoid"})(x)),
    series("QLSTM, alpha auto", last=OUT, body=lambda k, q, x: q.QLSTM(
        2, **{**G4, "kernel_quantizer": FLOAT, "recurrent_quantizer": FLOAT})(x)),
    series("QGRU", lambda k, q, x: q.QGRU(2, **G4)(x)),
    series("QGRU, reset_after", lambda k, q, x: q.QGRU(2, reset_after=True, **G4)(x)),
    series("QGRU, no recurrent_quantizer", outcome="HW281",
           body=lambda k, q, x: q.QGRU(3, **{**G4, "recurrent_quantizer": None})(x),
           note="QKeras 0.9 takes the kernel in place of the recurrent weights"),
    series("QBidirectional(QLSTM), concat",
           lambda k, q, x: q.QBidirectional(q.QLSTM(2, **G4))(x)),
    series("QBidirectional(QSimpleRNN), all steps, sum", lambda k, q, x: q.QBidirectional(
        q.QSimpleRNN(2, return_sequences=True, **Q4), merge_mode="sum")(x)),
    series("two QSimpleRNN, one behind the other", lambda k, q, x: q.QSimpleRNN(2, **Q4)(
        q.QSimpleRNN(3, return_sequences=True, **Q4)(x))),
    series("state_quantizer without a level at 0", outcome="HW382",
           body=lambda k, q, x: q.QSimpleRNN(2, **{**Q4, "state_quantizer": "binary(alpha=1)"})(x)),
    series("QGRU, return_state", outcome="HW383",
           body=lambda k, q, x: q.QGRU(2, return_state=True, **G4)(x)[0]),
    series("LSTM", lambda k, q, x: k.LSTM(2)(x), outcome="HW380",
           note="in floating point: for `hwflow quantize`"),
)  # fmt: skip
