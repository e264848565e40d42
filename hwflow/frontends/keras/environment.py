"""TensorFlow with legacy Keras: imported late, set up once, and verified."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.machine import install_command

_NEEDED = ("tensorflow", "tf_keras", "qkeras", "pyparsing")
"""qkeras 0.9 imports pyparsing without declaring it."""

SWITCH = "TF_USE_LEGACY_KERAS"
"""Variable that TensorFlow reads when ``tf.keras`` is first used; QKeras stands on that Keras 2."""


def legacy_keras() -> Any:
    """Return the module ``tf_keras``, with QKeras ready to use.

    Raises:
        CompileError: HW035, a package is missing; HW036, TensorFlow uses Keras 3 already.
    """
    missing = [package for package in _NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        raise CompileError(
            [
                Diagnostic(
                    code="HW035",
                    title="packages that Keras models need are missing",
                    found=", ".join(missing),
                    help=install_command("keras"),
                )
            ]
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" not in sys.modules:
        os.environ.setdefault(SWITCH, "1")
    with quiet():
        import tensorflow as tf
        import tf_keras

        if tf.keras.layers.Layer is not tf_keras.layers.Layer:
            raise CompileError([_too_late()])
        import qkeras

        _give_back_names()
    if not issubclass(qkeras.QDense, tf_keras.layers.Layer):
        raise CompileError([_too_late()])
    return tf_keras


def _give_back_names() -> None:
    """Give TensorFlow the names back that QKeras' layers call functions by.

    TensorFlow dropped ``nest.is_sequence``, and moved ``array_ops.stack`` and ``unstack``; QKeras
    0.9 knows no others.
    """
    import tensorflow as tf
    from tensorflow.python.ops import array_ops
    from tensorflow.python.util import nest

    for module, name, function in (
        (nest, "is_sequence", nest.is_nested),
        (array_ops, "stack", tf.stack),
        (array_ops, "unstack", tf.unstack),
    ):
        if not hasattr(module, name):
            setattr(module, name, function)


def _too_late() -> Diagnostic:
    return Diagnostic(
        code="HW036",
        title="TensorFlow uses Keras 3, with which QKeras does not work",
        found="tf.keras was used before legacy Keras was chosen",
        supported=f"tf.keras 2, which {SWITCH}=1 selects",
        help=f"set {SWITCH}=1 before Python starts, or os.environ[{SWITCH!r}] = '1' before "
        "tensorflow is imported",
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep TensorFlow's start-up notices, which its C++ writes to stderr, from the screen."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # no stderr to speak of
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)
