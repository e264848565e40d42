"""What a manifest says of where its model comes from."""

from __future__ import annotations

from hwflow.ir.qonnx.lineage import lineage_of
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.report.manifest.fields import Line, Sha256, Strict


class Made(Strict):
    """Where the model says that it comes from; nobody has proven it.

    Attributes:
        method: what made it, such as ``qat``.
        parents: digests of the files that it was made from, by their part.
        request: digest of what the method was asked for.
        version: the hwflow that made it.
    """

    method: Line
    parents: dict[Line, Sha256]
    request: Sha256
    version: Line


def made_of(model: QonnxModel) -> Made | None:
    """Return where a model says that it comes from; None where it says nothing."""
    found = lineage_of(model)
    if found is None:
        return None
    return Made(
        method=found.method, parents=dict(found.parents), request=found.request,
        version=found.version,
    )  # fmt: skip
