"""The report as JSON, in the form that ``schema.json`` beside this file describes."""

from __future__ import annotations

import json
from functools import cache

from pydantic import TypeAdapter

from hwflow.report.schema import ReportData

SCHEMA = "hwflow-report/1"
"""Name and version of the form; the version grows when a field changes its meaning or goes."""


def to_json(data: ReportData) -> str:
    """Return the report as JSON, its fields in the order of ``ReportData``.

    Raises:
        ValueError: a figure is not finite, which JSON cannot say.
    """
    content = {"schema": SCHEMA, **_form().dump_python(data, mode="json")}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@cache
def _form() -> TypeAdapter[ReportData]:
    return TypeAdapter(ReportData)
