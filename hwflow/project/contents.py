"""Every file of a build: project, reports, model, settings, graph, test vectors and manifest."""

from __future__ import annotations

from dataclasses import replace

from hwflow.codegen.golden.contract import observed_model
from hwflow.codegen.project import Project
from hwflow.ir.text import print_graph
from hwflow.project.source import GOLDEN_FILE, HLS_FOLDER, source_files
from hwflow.project.vectors.collection import simulation_files
from hwflow.report.html import to_html
from hwflow.report.json import to_json
from hwflow.report.manifest.writer import MANIFEST_FILE, Build, manifest
from hwflow.report.markdown import to_markdown
from hwflow.report.schema import ReportData

MEASURED = frozenset({"report.html", "report.json"})
"""Files of a project that hold times."""


def report_files(report: ReportData) -> dict[str, bytes]:
    """Return a report in its three forms, by path."""
    texts = {
        "report.html": to_html(report),
        "report.json": to_json(report),
        "report.md": to_markdown(report),
    }
    return {path: text.encode() for path, text in texts.items()}


def build_files(
    build: Build, project: Project, source: str, golden: bytes | None
) -> dict[str, bytes]:
    """Return the files by path.

    Args:
        build: what is known; its files are made here.
        project: the generated project.
        source: how the model is called in messages.
        golden: the golden model, if there is one.

    Raises:
        CompileError: a file cannot be made.
        ToolError: hls4ml, or da4ml for distributed arithmetic, is missing.
    """
    graph, target, verification = build.graph, build.target, build.verification
    files = {f"{HLS_FOLDER}/{path}": content for path, content in project.files.items()}
    files |= report_files(build.report) | {"graph.txt": print_graph(graph).encode()}
    files |= source_files(
        build.model,
        name=graph.name,
        source=source,
        config=build.config,
        board=build.board,
        target=target,
    )
    files |= simulation_files(graph, target, project, verification)
    if golden is not None:
        counters = {} if verification is None else verification.simulation.counters
        observed = {name: counted.observed for name, counted in counters.items()}
        files[GOLDEN_FILE] = observed_model(golden, observed or None)
    made = replace(build, files=files, measured=MEASURED)
    return files | {MANIFEST_FILE: manifest(made).to_json().encode()}
