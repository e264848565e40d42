"""Assertions about designs for test suites; ``docs/verify.md`` shows them at work.

A failed one says where, in one message: the first differing layer, element and values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from hwflow.core.board import Board
    from hwflow.project.design import Design
    from hwflow.verify.agreement import Agreement
    from hwflow.verify.verification import Verification
    from hwflow.verify.words.statements import Claim

__all__ = ["assert_exact", "assert_faithful", "assert_fits", "assert_lossless"]


def assert_faithful(subject: Any, data: Any = None, **options: Any) -> None:
    """Assert that simulation and compiled C++ agree in every bit of every layer.

    So must the golden model where there is one.

    Args:
        subject: a ``Design``, a ``CheckedDesign`` or a ``Verification``, the folder of a written
            project, or what ``hwflow.compile`` takes.
        data: see ``Design.verify``; not with what was verified already.
        options: options of ``hwflow.compile``, for a model.

    Raises:
        AssertionError: they do not; or the model or the data cannot be used.
    """
    __tracebackhide__ = True
    from hwflow.verify.words.statements import FAITHFUL, GOLDEN

    verification = _said(_verification, subject, data, options, cpp=True)
    _assert_agreement("faithful", FAITHFUL, verification.faithful)
    if verification.golden is not None:
        _assert_agreement("faithful", GOLDEN, verification.golden)


def assert_lossless(subject: Any, data: Any = None, **options: Any) -> None:
    """Assert that the hardware's numbers are the quantised model's own.

    Args:
        subject: see ``assert_faithful``.
        data: see ``Design.verify``; not with what was verified already.
        options: options of ``hwflow.compile``, for a model.

    Raises:
        AssertionError: they are not; or the model or the data cannot be used.
    """
    __tracebackhide__ = True
    from hwflow.verify.words.statements import LOSSLESS

    verification = _said(_verification, subject, data, options, cpp=False)
    _assert_agreement("lossless", LOSSLESS, verification.lossless)


def assert_exact(subject: Any, data: Any = None, **options: Any) -> None:
    """Assert that the hardware is lossless and that none of its layers is approximate.

    Args:
        subject: see ``assert_faithful``.
        data: see ``Design.verify``; not with what was verified already.
        options: options of ``hwflow.compile``, for a model.

    Raises:
        AssertionError: it is not; or the model or the data cannot be used.
    """
    __tracebackhide__ = True
    from hwflow.verify.checks import exact_check
    from hwflow.verify.words.statements import LOSSLESS

    agreement = _said(_verification, subject, data, options, cpp=False).lossless
    if agreement is None:
        raise AssertionError(f"not lossless ({LOSSLESS.meaning}): not run")
    check = exact_check(agreement)
    if not check.passed:
        raise AssertionError(f"not exact: {check.value}\n  {check.detail}")


def assert_fits(subject: Any, board: str | Path | None = None, **options: Any) -> None:
    """Assert that a board holds a design: every resource, to the upper end of its interval.

    Args:
        subject: see ``assert_faithful``; a ``Verification`` does not serve.
        board: name or profile; the design's own unless given.
        options: options of ``hwflow.compile``, for a model.

    Raises:
        AssertionError: it does not, or perhaps not; or the model or the board cannot be used.
    """
    __tracebackhide__ = True
    message = _said(_misfit, subject, board, options)
    if message:
        raise AssertionError(message)


def _said(function: Any, *arguments: Any, **options: Any) -> Any:
    """Call a function; what is wrong with the input becomes a failed assertion."""
    __tracebackhide__ = True
    from hwflow.core.errors import HwflowError

    try:
        return function(*arguments, **options)
    except HwflowError as error:
        message = str(error)
    raise AssertionError(message)


def _design(subject: Any, options: dict[str, Any], data: Any = None) -> Design:
    """Return the design that a subject is or becomes; a project must be as it was written."""
    __tracebackhide__ = True
    from pathlib import Path

    from hwflow.project.compiler import compile as compile_model
    from hwflow.project.design import Design
    from hwflow.project.stored import is_project, open_project
    from hwflow.project.verification import CheckedDesign
    from hwflow.verify.checks import files_check

    if isinstance(subject, CheckedDesign):
        return subject.design
    if isinstance(subject, Design):
        return subject
    if isinstance(subject, (str, Path)) and is_project(Path(subject)):
        project = open_project(Path(subject), **options)
        check = files_check(project.files, project.changed)
        if not check.passed:
            raise AssertionError(f"files of the project {check.value}: {check.detail}")
        return project.design
    return compile_model(subject, **{"data": data, **options})


def _verification(subject: Any, data: Any, options: dict[str, Any], *, cpp: bool) -> Verification:
    __tracebackhide__ = True
    from hwflow.project.verification import CheckedDesign
    from hwflow.verify.verification import Verification

    known = subject.verification if isinstance(subject, CheckedDesign) else subject
    if not isinstance(known, Verification):
        return _design(subject, options, data).verify(data, cpp=cpp)
    if data is not None or options:
        raise TypeError("data and options belong to the verification that was made already")
    return known


def _assert_agreement(name: str, claim: Claim, agreement: Agreement | None) -> None:
    __tracebackhide__ = True
    from hwflow.verify.checks import agreement_check

    check = agreement_check(name, agreement)
    if not check.passed:
        detail = f"\n  {check.detail}" if check.detail else ""
        raise AssertionError(f"not {name} ({claim.meaning}): {check.value}{detail}")


def _misfit(subject: Any, board: str | Path | None, options: dict[str, Any]) -> str:
    """Return which resources a board may lack, or nothing."""
    __tracebackhide__ = True
    from hwflow.core.board import load_board
    from hwflow.estimate.graph import estimate

    design = _design(subject, options)
    device: Board = design.board if board is None else load_board(board)
    fifos = None if design.streams is None else design.streams.fifos
    found = estimate(design.graph, design.target, device, fifos=fifos)
    lines = [
        f"  {use.resource}: {use.percent.value:.0f} % of {use.available:,} "
        f"({use.percent.low:.0f} to {use.percent.high:.0f} %), fits: {use.fits}"
        for use in found.utilisation
        if use.fits != "yes"
    ]
    head = f"{design.source} may not fit {device.name} (estimated)"
    if found.fits == "no":
        head = f"{design.source} does not fit {device.name} (estimated)"
    return "\n".join([head, *lines]) if lines else ""
