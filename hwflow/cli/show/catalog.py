"""What the command line prints about hwflow itself: operators, and what is installed."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape
from hwflow.core.machine import install_command

if TYPE_CHECKING:
    from hwflow.custom.plugins import Plugins

PACKAGES = {
    "core": ("numpy", "onnx", "onnx-ir", "onnxruntime", "hls4ml", "jinja2", "pydantic", "typer"),
    "torch": ("torch", "brevitas", "onnxscript", "onnxoptimizer"),
    "keras": ("tensorflow", "tf-keras", "qkeras"),
    "da": ("da4ml",),
}
"""Packages by the extra that brings them."""


def print_operators(plugins: Plugins, *, json: bool) -> None:
    """Print all operators, those of plugins among them."""
    from hwflow.ops import operators as known

    with plugins.active():
        found = known()
    rows = [
        {
            "name": name,
            "onnx": list(op.onnx),
            "settings": list(op.settings),
            "approximate": op.approximate,
            "summary": (op.__doc__ or "").strip().split("\n")[0],
        }
        for name, op in sorted(found.items())
    ]
    if json:
        print_json(rows)
        return
    shown = table(("operator", "ONNX", "settings", "what"), title=f"{len(rows)} operators")
    for row in rows:
        lists = (", ".join(row[key]) for key in ("onnx", "settings"))
        shown.add_row(str(row["name"]), *lists, escape(str(row["summary"])))
    console.print(shown)


def print_environment(*, json: bool) -> int:
    """Print what is installed; return 0 when the main job can run, else 1."""
    from hwflow.core.toolchain import CXX, TOOLS

    packages = {
        extra: {name: _version(name) for name in names} for extra, names in PACKAGES.items()
    }
    tools = {t.name: {"path": t.find() or "", "version": t.version()} for t in TOOLS}
    ready = all(packages["core"].values()) and CXX.find() is not None
    if json:
        print_json(
            {
                "hwflow": _version("hwflow"),
                "python": platform.python_version(),
                "packages": packages,
                "tools": tools,
                "ready": ready,
            }
        )
        return 0 if ready else 1
    console.print(f"hwflow {_version('hwflow')}, Python {platform.python_version()}")
    for extra, found in packages.items():
        hint = "" if extra == "core" else f"  {escape(install_command(extra))}"
        console.print(f"\n[bold]{extra}[/]" + ("" if all(found.values()) else hint))
        for name, number in found.items():
            console.print(f"  {name:<14} {number or '[red]missing[/]'}")
    console.print("\n[bold]tools[/]")
    for tool in TOOLS:
        path = tool.find()
        console.print(
            f"  {tool.name:<14} {escape(tool.version() or path)}"
            if path
            else f"  {tool.name:<14} [yellow]not found[/]: {tool.purpose}; {tool.install}"
        )
    console.print("\nready" if ready else "\n[red]the main job cannot run: see above[/]")
    return 0 if ready else 1


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
