"""``python -m hwflow``."""

from hwflow.cli import main

main()
