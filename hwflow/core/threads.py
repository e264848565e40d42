"""One thread for each process: many small products are slower on several."""

from __future__ import annotations

import os

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")
"""What the BLAS libraries that numpy is built with read when they are loaded."""


def one_thread() -> None:
    """Let numpy compute in one thread, unless the user said otherwise; before numpy is loaded."""
    for name in VARIABLES:
        os.environ.setdefault(name, "1")
