"""Where verbs with much to compute do that: options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer


@dataclass(frozen=True, kw_only=True)
class PlaceOptions:
    """Processes of this machine, or a cluster."""

    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that compute.")] = 1
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", help="Of a Dask cluster that computes: tcp://HOST:8786."),
    ] = None

    @property
    def several(self) -> bool:
        """Whether other processes compute."""
        return self.workers > 1 or self.scheduler is not None

    @property
    def settings(self) -> dict[str, Any]:
        """The options by the names that Python takes."""
        if self.scheduler is not None and self.workers != 1:
            raise typer.BadParameter(
                "a cluster has as many as it has: start them with `dask worker`",
                param_hint="'--workers'",
            )
        return {"workers": self.workers, "scheduler": self.scheduler}
