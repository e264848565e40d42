"""Drives a block that hwflow packaged: NumPy arrays in, NumPy arrays out.

Needs NumPy alone; on a board with PYNQ, ``pynq`` too. Serves Python from 3.8 on.
"""

from hwflow_ip.block import Block, BlockError, FrameError, TransferError
from hwflow_ip.description import Description
from hwflow_ip.pynq import Pynq, open_overlay
from hwflow_ip.weights import WeightsError

__all__ = [
    "Block",
    "BlockError",
    "Description",
    "FrameError",
    "Pynq",
    "TransferError",
    "WeightsError",
    "open_overlay",
]
