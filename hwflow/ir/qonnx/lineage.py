"""What a model was made from: a method and the digests of its parents, in the file's metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hwflow.ir.qonnx.model import QonnxModel

METHOD, PARENTS, REQUEST, VERSION = (
    f"hwflow.lineage.{name}" for name in ("method", "parents", "request", "version")
)
"""Entries of ``metadata_props``."""

LONGEST = 4096
"""Characters of an entry that are read."""

WORD = re.compile(r"[a-z][a-z0-9_-]{0,39}")
SHA256 = re.compile(r"[0-9a-f]{64}")
NUMBERED = re.compile(r"[0-9A-Za-z.+-]{1,40}")


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Where a model comes from.

    Attributes:
        method: what made it, such as ``qat``.
        parents: SHA-256 of the files that it was made from by their part: ``model``, ``data``, ...
        request: SHA-256 of what the method was asked for.
        version: the hwflow that made it.
    """

    method: str
    parents: Mapping[str, str]
    request: str
    version: str


def mark(model: QonnxModel, lineage: Lineage) -> None:
    """Write into a model where it comes from; what it computes and its digest stay."""
    model.ir.metadata_props.update(
        {
            METHOD: lineage.method,
            PARENTS: json.dumps(dict(lineage.parents), sort_keys=True),
            REQUEST: lineage.request,
            VERSION: lineage.version,
        }
    )


def lineage_of(model: QonnxModel) -> Lineage | None:
    """Return where a model says that it comes from; None where nothing of this form is said.

    Models come from anybody: what is no word, no digest or too long is not read.
    """
    found = [model.ir.metadata_props.get(key, "") for key in (METHOD, PARENTS, REQUEST, VERSION)]
    method, text, request, version = found
    if any(len(entry) > LONGEST for entry in found) or not WORD.fullmatch(method):
        return None
    try:
        parents = json.loads(text)
    except ValueError:
        return None
    if not isinstance(parents, dict) or not NUMBERED.fullmatch(version):
        return None
    digests = [request, *parents.values()]
    if not all(isinstance(d, str) and SHA256.fullmatch(d) for d in digests):
        return None
    if not all(WORD.fullmatch(part) for part in parents):
        return None
    return Lineage(method=method, parents=parents, request=request, version=version)
