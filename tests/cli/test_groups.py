"""Groups of options: the command line takes their fields, the verb the group."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from hwflow.cli.groups import with_groups


@dataclass(frozen=True, kw_only=True)
class Size:
    width: Annotated[int, typer.Option("--width", "-w", help="Across.")] = 1
    height: Annotated[int | None, typer.Option(help="Upwards.")] = None


def application() -> tuple[typer.Typer, list[object]]:
    app, taken = typer.Typer(), list[object]()

    @app.command()
    @with_groups
    def draw(
        name: Annotated[str, typer.Argument()],
        *,
        before: Annotated[bool, typer.Option("--before")] = False,
        size: Size,
        after: Annotated[bool, typer.Option("--after")] = False,
    ) -> None:
        """Draw."""
        taken.extend([name, before, size, after])

    return app, taken


def test_a_verb_takes_the_group() -> None:
    app, taken = application()
    assert CliRunner().invoke(app, ["box", "-w", "3", "--after"]).exit_code == 0
    assert taken == ["box", False, Size(width=3, height=None), True]


def test_the_command_line_has_the_options_in_their_place() -> None:
    text = CliRunner().invoke(application()[0], ["--help"]).output
    places = [text.index(option) for option in ("--before", "--width", "--height", "--after")]
    assert places == sorted(places)
    assert "Across." in text
    assert "--size" not in text
