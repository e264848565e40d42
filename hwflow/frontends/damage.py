"""What libraries raise at files that are damaged, or that lie about themselves."""

from __future__ import annotations

import struct
import zipfile
import zlib

BROKEN = (
    OSError, EOFError, LookupError, RuntimeError, ValueError, TypeError, MemoryError,
    OverflowError, struct.error, zlib.error, zipfile.BadZipFile,
)  # fmt: skip
"""Errors of zipfile, h5py and json: missing members, other sizes, encryption, types, depth."""
