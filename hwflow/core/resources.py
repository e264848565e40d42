"""Where the files beside the code are: in a checkout, or packed into the installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def _folder(name: str) -> Path:
    """Return ``hwflow/_data/<name>`` of a wheel, or ``<name>`` at the top of a checkout."""
    packed = _PACKAGE / "_data" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name


def templates_dir() -> Path:
    """Return the folder of Jinja templates."""
    return _folder("templates")


def boards_dir() -> Path:
    """Return the folder of board profiles."""
    return _folder("boards")


def sim_dir() -> Path:
    """Return the folder of benches that run generated hardware."""
    return _folder("sim")
