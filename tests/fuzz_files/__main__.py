"""``python -m tests.fuzz_files``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.fuzz_files.kinds import KINDS
from tests.fuzz_files.run import fuzz

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
parser = argparse.ArgumentParser(
    description="Damage files of every format and let hwflow read them."
)
parser.add_argument("--files", type=int, default=10_000)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--first", type=int, default=0, help="number of the first file")
parser.add_argument("--kind", action="append", default=[], choices=[kind.name for kind in KINDS])
parser.add_argument("--keep", type=Path, default=Path("build/fuzz_files"))
given = parser.parse_args()
found = fuzz(
    given.files, seed=given.seed, first=given.first, kinds=tuple(given.kind), keep=given.keep
)
print(found)
sys.exit(1 if found.failures else 0)
