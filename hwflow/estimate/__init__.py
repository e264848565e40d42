"""Resources and timing: relations for single layers, and the estimate of a whole graph."""

from hwflow.estimate.graph import estimate

__all__ = ["estimate"]
