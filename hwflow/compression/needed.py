"""What training needs beside hwflow itself."""

from __future__ import annotations

from importlib.util import find_spec

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.machine import install_command


def require_torch() -> None:
    """Make sure that torch is there.

    Raises:
        CompileError: HW035, it is not installed.
    """
    require_package("torch")


def require_package(name: str) -> None:
    """Make sure that a package is there that the extra ``torch`` brings.

    Raises:
        CompileError: HW035, it is not installed.
    """
    if find_spec(name) is None:
        finding = Diagnostic(
            code="HW035", title="packages that training needs are missing",
            where="hwflow compress", found=name, help=install_command("torch"),
        )  # fmt: skip
        raise CompileError([finding])
