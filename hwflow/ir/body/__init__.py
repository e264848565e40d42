"""The golden body of an operator: standard ONNX operators that compute the hardware's bits.

``writer`` holds what a body is written with, ``casts`` and ``integers`` the casts of ap_fixed in
it, ``values`` what its values are, and ``text`` bodies that are given as text.
"""
