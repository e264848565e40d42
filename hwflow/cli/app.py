"""The application that verbs register with."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hwflow.cli.usage import Group
from hwflow.cli.verbs import ArgumentOrVerb

app = typer.Typer(
    name="hwflow",
    cls=Group,
    help="From quantisation-aware trained models to verified, estimated HLS projects.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich for it would double the start-up time
    context_settings={
        "help_option_names": ["-h", "--help"],
        "terminal_width": None if sys.stdout.isatty() else 1000,  # files and pipes take whole lines
    },
    epilog="Example: hwflow build examples/digits_mlp.onnx --board pynq-z2 "
    "--data examples/digits.npz",
)

op_app = typer.Typer(
    help="Write and check operators of your own.",
    no_args_is_help=True,
    epilog="Example: hwflow op new HalfWave",
)
app.add_typer(op_app, name="op")

explore_app = typer.Typer(
    cls=ArgumentOrVerb,
    invoke_without_command=True,
    rich_markup_mode=None,
    epilog="Example: hwflow explore float.onnx --data digits.npz --board pynq-z2 "
    "--bits 'w=2:6 a=2:6' --run runs/digits",
)
app.add_typer(explore_app, name="explore")

compress_app = typer.Typer(
    help="Make networks smaller by training.",
    no_args_is_help=True,
    epilog="Example: hwflow compress qat float.onnx --data train.npz --target ebops=8000 "
    "--run runs/qat",
)
app.add_typer(compress_app, name="compress")

fuse_app = typer.Typer(
    help="Make one network of several, or one layer.",
    no_args_is_help=True,
    epilog="Example: hwflow compress fuse ensemble one.onnx two.onnx --run runs/ensemble",
)
compress_app.add_typer(fuse_app, name="fuse")


def _print_version(wanted: bool) -> None:
    if wanted:
        import hwflow

        typer.echo(f"hwflow {hwflow.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """From quantisation-aware trained models to verified, estimated HLS projects."""
