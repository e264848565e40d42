"""What the command line writes to: terminals; and pipes and logs, where nothing is cut."""

from hwflow.cli.terminal.console import console, errors, print_json, table, warnings
from hwflow.cli.terminal.progress import sample_progress, stage_progress

__all__ = [
    "console",
    "errors",
    "print_json",
    "sample_progress",
    "stage_progress",
    "table",
    "warnings",
]
