"""What can be wrong with a cluster."""

from __future__ import annotations

from traceback import format_exception

from hwflow.core.cluster.build import build
from hwflow.core.cluster.worker import OtherBuild
from hwflow.core.errors import HwflowError, ToolError
from hwflow.core.machine import install_command

DASK = "Dask"

AGAIN = "what is done is kept: the same command goes on with it"

LAST_LINES = 12
"""Lines of a worker's traceback that are shown."""


def missing(error: ImportError) -> ToolError:
    """Return the finding that Dask cannot be imported."""
    return ToolError(
        DASK, "the package is not installed", code="HW607", help=install_command("dask"),
        log=str(error),
    )  # fmt: skip


def unreachable(address: str, error: Exception) -> ToolError:
    """Return the finding that no scheduler answers."""
    return ToolError(
        DASK, f"no scheduler answers at {address}", code="HW611", log=_text(error),
        help="start one with `dask scheduler`, and workers with `dask worker tcp://HOST:8786`; it "
        "prints the address",
    )  # fmt: skip


def lost(address: str, error: Exception) -> ToolError:
    """Return the finding that a scheduler ended while it was needed."""
    return ToolError(
        DASK, f"the scheduler at {address} does not answer any more", code="HW611",
        log=_text(error), help=f"start scheduler and workers again; {AGAIN}",
    )  # fmt: skip


def no_workers(address: str, seconds: float) -> ToolError:
    """Return the finding that there is nobody to compute."""
    return ToolError(
        DASK, f"the cluster at {address} has no workers", code="HW612",
        log=f"none for {seconds:g} s",
        help=f"start some with `dask worker {address}`; {AGAIN}",
    )  # fmt: skip


def other_build(found: OtherBuild) -> ToolError:
    """Return the finding that a worker would compute by other rules."""
    return ToolError(
        DASK, f"the worker {found.worker} has another hwflow", code="HW613",
        log=f"there: {found.build}\nhere:  {build()}",
        help="install the same hwflow there and start the worker again; digests are those of all "
        "its Python files",
    )  # fmt: skip


def failed(address: str, error: Exception, status: str) -> HwflowError:
    """Return the finding about a task that gave no result.

    Args:
        address: address of the scheduler.
        error: what Dask raises in the place of a result.
        status: state of the connection.
    """
    from asyncio import CancelledError

    from distributed.scheduler import KilledWorker

    if isinstance(error, HwflowError):
        return error
    if status != "running" or isinstance(error, (OSError, CancelledError)):
        return lost(address, error)
    if isinstance(error, KilledWorker):
        return ToolError(
            DASK, "workers end while they compute the same task", code="HW614", log=_text(error),
            help="see the workers' own log; where memory ran out, give them more with "
            "`dask worker --memory-limit`, or have fewer of them on a machine",
        )  # fmt: skip
    if isinstance(error, ImportError):
        return ToolError(
            DASK, "a worker cannot import what it needs", code="HW613", log=_text(error),
            help=f"install the same hwflow on all workers, with {install_command('dask')}",
        )  # fmt: skip
    return ToolError(
        DASK, "a task failed on a worker", code="HW614", log=_traceback(error),
        help="this is an error of hwflow, please report it",
    )  # fmt: skip


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _traceback(error: Exception) -> str:
    lines = "".join(format_exception(error)).splitlines()
    return "\n".join(lines[-LAST_LINES:])
