"""What a manifest says in hls4ml's own words, for its users and for scripts that read them."""

from __future__ import annotations

from pydantic import Field

from hwflow.codegen.hls.settings import hls4ml_settings
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.report.manifest.fields import Count, Line, Strict


class LayerSettings(Strict):
    """The settings of a layer; types by the name of what they are of."""

    precision: dict[Line, Line] = Field(alias="Precision")
    reuse_factor: Count = Field(alias="ReuseFactor")
    strategy: Line = Field(alias="Strategy")


class ModelSettings(Strict):
    """What hls4ml would take for layers that are not named; every layer is."""

    precision: Line = Field(alias="Precision")
    reuse_factor: Count = Field(alias="ReuseFactor")
    strategy: Line = Field(alias="Strategy")


class HlsSettings(Strict):
    """The settings of layers."""

    model: ModelSettings = Field(alias="Model")
    layer_name: dict[Line, LayerSettings] = Field(alias="LayerName")


class Hls4ml(Strict):
    """A design in the form of hls4ml's ``hls4ml_config.yml``."""

    backend: Line = Field(alias="Backend")
    project_name: Line = Field(alias="ProjectName")
    part: Line = Field(alias="Part")
    clock_period: float = Field(alias="ClockPeriod")
    io_type: Line = Field(alias="IOType")
    hls_config: HlsSettings = Field(alias="HLSConfig")


def in_hls4mls_words(graph: Graph, target: Target) -> Hls4ml:
    """Return the settings of a design as hls4ml spells them."""
    return Hls4ml.model_validate(hls4ml_settings(graph, target))
