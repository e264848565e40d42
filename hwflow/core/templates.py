"""Jinja environments, all of them with the same settings."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def template_environment(*folders: Path, html: bool = False) -> Environment:
    """Return the templates of folders; a name that a template does not get is an error.

    Args:
        folders: searched in this order.
        html: escape what templates print.
    """
    return Environment(
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        autoescape=html,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
