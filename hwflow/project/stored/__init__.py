"""A project that was written: opened as it lies in its folder, and nothing of it run unasked."""

from hwflow.project.stored.findings import refuse_options
from hwflow.project.stored.opening import open_project
from hwflow.project.stored.project import StoredProject, is_project

load_project = open_project
"""The public name, ``hwflow.load_project``."""

__all__ = ["StoredProject", "is_project", "load_project", "open_project", "refuse_options"]
