"""The table of docs/settings.md that says which settings each operator has.

Run ``python -m tests.operator_settings`` after a change; it writes the table into the page.
"""

import re
from pathlib import Path

import hwflow.ops
from hwflow.ir.op import Op

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
TABLE = re.compile(r"\| operator \| settings \|\n(?:\|.*\n)+")


def table() -> str:
    """Return the table, one row for each set of settings, the shorter ones first."""
    assert hwflow.ops.by_onnx()
    rows: dict[tuple[str, ...], list[str]] = {}
    for name, op in sorted(Op.registry.items()):
        if op.settings:
            rows.setdefault(op.settings, []).append(name)
    lines = ["| operator | settings |", "|---|---|"]
    for settings, names in sorted(rows.items(), key=lambda row: (len(row[0]), row[1])):
        lines.append(f"| {', '.join(names)} | {', '.join(f'`{s}`' for s in settings)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(TABLE.sub(lambda _: table(), PAGE.read_text("utf-8")), "utf-8")
