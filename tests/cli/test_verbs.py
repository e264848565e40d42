"""A command that takes an argument, or the name of one of its verbs."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from hwflow.cli.verbs import ArgumentOrVerb

Taken = list[tuple[str, object]]


@pytest.fixture
def application() -> tuple[typer.Typer, Taken]:
    app, inner, taken = typer.Typer(), typer.Typer(cls=ArgumentOrVerb), Taken()
    app.add_typer(inner, name="draw", invoke_without_command=True)

    @app.command()
    def other() -> None:
        """Do something else."""

    @inner.callback()
    def draw(
        shape: Annotated[str, typer.Argument()],
        size: Annotated[int, typer.Option("--size")],
    ) -> None:
        """Draw a shape."""
        taken.append((shape, size))

    @inner.command()
    def status(size: Annotated[int, typer.Option("--size")] = 7) -> None:
        """Say how far it is."""
        taken.append(("verb", size))

    return app, taken


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["box", "--size", "2"], ("box", 2)),
        (["--size", "2", "box"], ("box", 2)),
        (["./status", "--size", "2"], ("./status", 2)),
        (["--size", "2", "status"], ("status", 2)),  # the first word alone names a verb
        (["status"], ("verb", 7)),
        (["status", "--size", "3"], ("verb", 3)),
    ],
)
def test_first_word(
    words: list[str], found: tuple[str, object], application: tuple[typer.Typer, Taken]
) -> None:
    app, taken = application
    ran = CliRunner().invoke(app, ["draw", *words])
    assert (ran.exit_code, taken) == (0, [found]), ran.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "shape"),
        (["box"], "--size"),
        (["box", "star", "--size", "2"], "star"),
        (["status", "box"], "box"),
        (["status", "--shape"], "--shape"),
    ],
)
def test_what_is_not_understood(
    words: list[str], says: str, application: tuple[typer.Typer, Taken]
) -> None:
    app, taken = application
    ran = CliRunner().invoke(app, ["draw", *words])
    assert (ran.exit_code, taken) == (2, [])
    assert says in ran.output


def test_help_has_options_and_verbs(application: tuple[typer.Typer, Taken]) -> None:
    app, _ = application
    text = CliRunner().invoke(app, ["draw", "--help"]).output
    assert "Draw a shape." in text
    assert "--size" in text
    assert "Say how far it is." in text
    text = CliRunner().invoke(app, ["draw", "status", "--help"]).output
    assert "Say how far it is." in text
    assert "shape" not in text.lower()
