"""The FIFOs of a streamed design for people: how deep each is, why, and what that saves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from hwflow.codegen.hls.streams import Streams
from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.dataflow.cycles import Circle, TooManyPathsError
from hwflow.dataflow.model import Outcome, run
from hwflow.dataflow.network import Channel
from hwflow.dataflow.proof import LEAST, least_depth, locking, worst_lags
from hwflow.estimate.streams import Fifo
from hwflow.report.parts import FifoData, FifosData


def fifos_data(streams: Streams, backend: str) -> FifosData:
    """Return what is to be said of the FIFOs of a design."""
    fifos, outcome = tuple(_fifos(streams, backend)), streams.outcome
    return FifosData(
        fifos=fifos,
        latency_cycles=None if outcome is None else outcome.cycles[0],
        interval_cycles=None if outcome is None else outcome.interval,
        bram_18k_saved=sum(fifo.bram_18k_saved for fifo in fifos),
        lut_saved=sum(fifo.lut_saved for fifo in fifos),
    )


def _fifos(streams: Streams, backend: str) -> Iterator[FifoData]:
    for name, channel in streams.network.channels.items():
        depth = streams.depths[name]
        own, whole = (
            Fifo(words, channel.elements, channel.bits).cost(backend)
            for words in (depth, channel.tokens)
        )
        yield FifoData(
            name=name,
            layer=channel.value,
            source=channel.source,
            target=channel.target,
            tokens=channel.tokens,
            width=channel.width,
            depth=depth,
            least=streams.safety.depths[name] if name not in streams.given else LEAST,
            why=_why(streams, channel),
            bram_18k=own.bram_18k.value,
            bram_18k_saved=whole.bram_18k.value - own.bram_18k.value,
            lut_saved=whole.lut.value - own.lut.value,
        )


def _why(streams: Streams, channel: Channel) -> str:
    """Return what the depth of a FIFO rests on, in words."""
    name, safety = channel.name, streams.safety
    if name in streams.given:
        return "as set; it cannot lock"
    found = "the smallest: nothing waits for more"
    if name in safety.whole:
        found = "the whole value: what happens at its ends is not known"
    elif name in safety.circles:
        found = late(safety.circles[name])
    more = streams.depths[name] > safety.depths[name]
    return f"{found}; {safety.depths[name]} cannot lock, the rest is for speed" if more else found


def late(circle: Circle) -> str:
    """Return in words why a FIFO of a circle must hold something."""
    passed = [b.process for a, b in pairwise(circle) if not (a.full or b.full)]
    way = f"through {', '.join(reversed(passed))}" if passed else "straight to it"
    return f"{circle[0].process} takes it late: its other way leads {way}"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What becomes of a design with other depths.

    Attributes:
        depths: words that each FIFO holds, by name.
        outcome: what two inferences do, with the pipelines that are worst for the depths; None
            where the network is too large for the model.
        locks: whether the design can lock, or does in the model.
        proven: whether it is proven where it does not; False with circles too many to list.
        least: for each FIFO that is too small the depth that cannot lock.
    """

    depths: Mapping[str, int]
    outcome: Outcome | None
    locks: bool
    proven: bool
    least: Mapping[str, int]


def tried(streams: Streams, asked: Mapping[str, int]) -> Tried:
    """Return what becomes of a design in the model when some FIFOs have other depths.

    Args:
        streams: the streams of the design.
        asked: depths by name of a FIFO, or of a layer for all that carry its result.

    Raises:
        CompileError: HW101, there is no such FIFO.
    """
    network = streams.network
    given = {name: depth for key, depth in asked.items() for name in _named(streams, key)}
    depths, locked, proven = {**streams.depths, **given}, [], True
    try:
        locked = locking(network, depths) if given else []
    except TooManyPathsError:
        proven = False
    lags = worst_lags(network, locked[0]) if locked else None
    outcome = None
    if streams.outcome is not None:
        outcome = run(network, depths, lags=lags, inferences=2)
    full = {hop.channel.name for circle in locked for hop in circle if hop.full}
    return Tried(
        depths=depths,
        outcome=outcome,
        locks=bool(locked or (outcome and outcome.locked)),
        proven=proven,
        least={n: least_depth(network, locked, depths, n) for n in given if n in full},
    )


def _named(streams: Streams, key: str) -> list[str]:
    channels = streams.network.channels
    found = [key] if key in channels else [n for n, c in channels.items() if c.carried == key]
    if not found:
        raise CompileError(
            [
                Diagnostic(
                    code="HW101",
                    title="unknown FIFO",
                    where="--depth",
                    found=key,
                    supported=", ".join(channels),
                    help=did_you_mean(key, list(channels)) or "`hwflow fifo` lists the FIFOs",
                )
            ]
        )
    return found
