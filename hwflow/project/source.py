"""What a written project keeps of its making: the model, the settings and a board of one's own.

With them a project can be verified, and built again, without anything outside its folder but the
operators of plugins.
"""

from __future__ import annotations

from pathlib import Path

from hwflow.core.board import Board
from hwflow.core.calibration import load_profile
from hwflow.core.config import Config, settings_of
from hwflow.core.toml_text import toml_text
from hwflow.frontends.conversion import canonical
from hwflow.frontends.ensemble import model_bytes
from hwflow.ir.op import Target
from hwflow.ir.qonnx.model import QonnxModel

MODEL_FILE = "model.qonnx.onnx"
SETTINGS_FILE = "hwflow.toml"
BOARD_FILE = "board.toml"
CALIBRATION_FILE = "calibration.toml"
GOLDEN_FILE = "model.hw.onnx"
HLS_FOLDER = "hls"
"""Names in the folder of a project."""

NAME, SOURCE = "hwflow.name", "hwflow.source"
"""Metadata of the kept model: what it was called, which the generated C++ is called after."""


def source_files(
    model: QonnxModel, *, name: str, source: str, config: Config, board: Board, target: Target
) -> dict[str, bytes]:
    """Return the files that a project keeps, by path.

    Args:
        model: the model as it was read, before the passes; it is not changed.
        name: name of the design.
        source: how messages call the model.
        config: the settings, overrides included.
        board: the board that they name.
        target: what the hardware is generated for.

    Raises:
        CompileError: HW003, the model is too large for one file; HW596, the calibration that was
            read when it was compiled is gone.
    """
    kept = canonical(model)
    kept.ir.metadata_props[NAME] = name
    kept.ir.metadata_props[SOURCE] = source
    settings = settings_of(config)
    settings["target"]["clock_period_ns"] = target.clock_period_ns
    files = {}
    if config.target.board.lower().endswith(".toml"):
        settings["target"]["board"] = BOARD_FILE
        files[BOARD_FILE] = toml_text(board.model_dump()).encode()
    if config.target.calibration is not None:
        settings["target"]["calibration"] = CALIBRATION_FILE
        profile = load_profile(Path(config.target.calibration))
        files[CALIBRATION_FILE] = profile.to_toml().encode()
    return files | {MODEL_FILE: model_bytes(kept), SETTINGS_FILE: toml_text(settings).encode()}
