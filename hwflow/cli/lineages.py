"""``compress lineage``: where a model comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli.app import compress_app
from hwflow.cli.options import JsonOption


@compress_app.command(epilog="Example: hwflow compress lineage runs/qat/model.onnx")
def lineage(
    model: Annotated[
        Path, typer.Argument(help="Model that was compressed, folder of its run, or its project.")
    ],
    *,
    runs: Annotated[
        list[Path] | None, typer.Option("--runs", help="Folder to look for parents in.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show what a model was made from, back to the first network; files are told by digest."""
    from hwflow.cli.show.handover import print_lineage
    from hwflow.compression.handover.lineage import chain

    print_lineage(chain(model, runs or ()), json=json)
