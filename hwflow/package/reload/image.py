"""A weight image as a file: whose block it is for, how long it is, its digest, its words.

    bytes    0     4         8            12             16       20            24
             HWWT  version   design_id    words          digest   CRC-32 of     the words
                                                                  bytes 0 to 19

All numbers are of 32 bits, little endian.
"""

from __future__ import annotations

import struct
import zlib

from hwflow.package.reload.form import digest_of

MAGIC = b"HWWT"
VERSION = 1


def image_file(design_id: int, words: bytes) -> bytes:
    """Return the file of a weight image.

    Args:
        design_id: the block that it is for.
        words: its words.
    """
    head = struct.pack("<4s4I", MAGIC, VERSION, design_id, len(words) // 4, digest_of(words))
    return head + struct.pack("<I", zlib.crc32(head)) + words
