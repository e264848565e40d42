"""What ports lose of the data, in the verdict: counted, named, told from other differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hwflow.verify.agreement import Agreement
from hwflow.verify.port_loss import PortLoss
from hwflow.verify.verdict.state import State


def because_of_ports(found: Agreement, behind: Agreement, losses: Sequence[PortLoss]) -> Agreement:
    """Return a comparison with the ports named that its differences come from.

    Args:
        found: the verdict on the data as it was given.
        behind: the verdict on the data as the ports round it; what differs there has another cause.
        losses: what each port lost.
    """
    verdict, first = found.verdict, found.first
    if verdict is None or first is None or verdict.state is not State.NOT_LOSSLESS:
        return found
    said = tuple(map(str, losses))
    other = behind.verdict is not None and behind.verdict.state is State.NOT_LOSSLESS
    first = behind.first if other and behind.first else replace(first, cause=" and ".join(said))
    return replace(found, verdict=replace(verdict, ports=said), first=first)
