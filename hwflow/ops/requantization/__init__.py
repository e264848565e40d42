"""Ways to compute an exact integer function in hardware, each with the proof that it is equal.

``problem`` says what is wanted, ``plan`` what a found implementation is; every other module but
``cost``, ``lines`` and ``choose`` finds one kind of implementation.
"""
