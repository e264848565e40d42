"""``python -m tests.benchmarks.decision_table RUN``: puts what each step bought into the docs."""

import sys
from pathlib import Path

BEGIN, END = "<!-- decisions -->\n", "<!-- end -->"
PAGE = Path(__file__).parents[2] / "docs" / "auto.md"


def table(report: str) -> str:
    """Return the table of decisions in a report."""
    part = report.partition("## Decisions\n")[2].partition("## Lineage\n")[0]
    return "\n".join(line for line in part.splitlines() if line.startswith("|")) + "\n"


def main() -> None:
    """Replace the table in the page."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    report = Path(sys.argv[1], "report.md").read_text("utf-8")
    PAGE.write_text(f"{before}{BEGIN}{table(report)}{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
