"""A project that was written: opened as it lies in its folder, and nothing of it run unasked."""

from hwflow.stored.findings import refuse_options
from hwflow.stored.opening import open_project
from hwflow.stored.project import StoredProject, is_project

__all__ = ["StoredProject", "is_project", "open_project", "refuse_options"]
