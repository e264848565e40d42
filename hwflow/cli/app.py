"""The application that verbs register with."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="hwflow",
    help="From quantisation-aware trained models to verified, estimated HLS projects.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich for it would double the start-up time
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: hwflow build examples/digits_mlp.onnx --board pynq-z2 "
    "--data examples/digits.npz",
)

op_app = typer.Typer(
    help="Write and check operators of your own.",
    no_args_is_help=True,
    epilog="Example: hwflow op new HalfWave",
)
app.add_typer(op_app, name="op")
