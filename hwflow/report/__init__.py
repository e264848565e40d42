"""The report: gathered once as plain data, shown as HTML, JSON and Markdown."""
