"""Other weights for a block: the image that ``hwflow weights`` wrote, step by step."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from hwflow_ip.description import Description

MAGIC, VERSION = b"HWWT", 1
HEAD = struct.Struct("<4s5I")
"""``MAGIC``, ``VERSION``, the block's ``design_id``, words, digest, CRC-32 of all before it."""


class WeightsError(RuntimeError):
    """An image is damaged or for another block, or the weights in the block are not whole."""


def read_image(image: str | Path | bytes, description: Description) -> tuple[int, Any]:
    """Return digest and words of an image.

    Args:
        image: the file, or what is in it.
        description: the block that it has to be for.

    Raises:
        OSError: the file cannot be read.
        WeightsError: it is damaged, or for another block; or the block's weights are constants.
    """
    reload = description.reload
    if reload is None:
        raise WeightsError(f"the weights of {description.top} are constants")
    size = HEAD.size + 4 * int(reload["image_words"])
    content = image if isinstance(image, bytes) else _read(Path(image), size)
    if len(content) < HEAD.size or content[:4] != MAGIC:
        raise WeightsError("this is no weight image")
    _, version, design, words, digest, check = HEAD.unpack(content[: HEAD.size])
    if version != VERSION or check != zlib.crc32(content[: HEAD.size - 4]):
        raise WeightsError("the head of the weight image is damaged, or of another version")
    if design != description.design_id:
        raise WeightsError(
            f"the weight image is for the block {design:#010x}, not for {description.top}, "
            f"{description.design_id:#010x}"
        )
    if len(content) != size or words != reload["image_words"]:
        raise WeightsError(f"the weight image has {len(content)} bytes, not {size}")
    if digest != (zlib.crc32(content[HEAD.size :]) or 1):
        raise WeightsError("the weight image is not as its digest says")
    return digest, np.frombuffer(content, "<u4", offset=HEAD.size)


def _read(file: Path, size: int) -> bytes:
    """Return a file's content, and no more of it than tells that it is too large."""
    with file.open("rb") as opened:
        return opened.read(size + 1)
