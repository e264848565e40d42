"""Distances of outputs in words: parts of one line for a terminal, labelled facts for a page."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from hwflow.core.distance import OutputError
from hwflow.verify.budget import LayerLoss, OutputLoss
from hwflow.verify.words.numbers import percent, plural, real, short

SAMPLES = 5
"""Samples that are named of each kind."""

Facts = tuple[tuple[str, str], ...]
"""Labels with their values."""


def error_parts(error: OutputError, reference: str = "quantised model") -> list[str]:
    """Return the figures of an output.

    Args:
        error: the figures.
        reference: what it was compared with.
    """
    parts = [f"max |error| {short(error.max_abs)}", f"mean {short(error.mean_abs)}"]
    parts.append(f"SQNR {error.sqnr_db:.1f} dB" if error.max_abs else "no difference")
    if error.argmax_agreement is not None:
        parts.append(f"same class {error.argmax_agreement:.2%}")
    if error.accuracy is not None and error.reference_accuracy is not None:
        text = f"accuracy {error.accuracy:.2%} ({reference} {error.reference_accuracy:.2%})"
        parts.append(text)
    return parts


def loss_parts(loss: OutputLoss) -> list[str]:
    """Return what an output lost."""
    parts = error_parts(loss.error, "float reference")
    if loss.kl_divergence is not None:
        of = "softmax of the logits" if loss.softmaxed else "probabilities"
        parts.append(f"KL {short(loss.kl_divergence)} nats ({of})")
    return parts


def layer_part(layer: LayerLoss) -> str:
    """Return what a layer lost, without its name."""
    return f"{layer.sqnr_db:.1f} dB (max {short(layer.max_abs)})"


def error_facts(error: OutputError, step: float) -> Facts:
    """Return what describes the distance of an output from the quantised model.

    Args:
        error: the figures.
        step: value of the last bit of the output's type.
    """
    steps = f"{real(error.max_abs / step)} steps of {real(step)}"
    facts = [
        ("Largest difference", f"{real(error.max_abs)} ({steps})" if error.max_abs else "0"),
        ("Mean difference", real(error.mean_abs)),
        ("SQNR", sqnr(error)),
    ]
    if error.argmax_agreement is not None:
        facts.append(("Same class as the quantised model", percent(error.argmax_agreement)))
    if error.accuracy is not None and error.reference_accuracy is not None:
        facts.append(("Accuracy, hardware", percent(error.accuracy)))
        facts.append(("Accuracy, quantised model", percent(error.reference_accuracy)))
    return tuple(facts)


def loss_facts(loss: OutputLoss) -> Facts:
    """Return what describes the loss of an output by quantisation."""
    error = loss.error
    facts = [
        ("Largest difference", real(error.max_abs)),
        ("Mean difference", real(error.mean_abs)),
        ("SQNR", sqnr(error)),
    ]
    if loss.kl_divergence is not None:
        of = "of the logits' softmax" if loss.softmaxed else "of the probabilities"
        facts.append(("KL divergence", f"{real(loss.kl_divergence)} nats, {of}"))
    if error.accuracy is not None and error.reference_accuracy is not None:
        facts.append(("Accuracy, quantised model", percent(error.accuracy, 2)))
        facts.append(("Accuracy, float reference", percent(error.reference_accuracy, 2)))
    if error.argmax_agreement is not None:
        named = changed_samples(loss)
        changed = f"; {plural(loss.changed, 'sample')} changed: {named}" if named else ""
        facts.append(("Same class", percent(error.argmax_agreement, 2) + changed))
    if loss.worst:
        facts.append(("Samples with the largest errors", worst_samples(loss, real)))
    return tuple(facts)


def worst_samples(loss: OutputLoss, number: Callable[[float], str] = short) -> str:
    """Return the samples with the largest errors, each with its error.

    Args:
        loss: what an output lost.
        number: puts an error into words.
    """
    return ", ".join(f"{w.index} ({number(w.max_abs)})" for w in loss.worst[:SAMPLES])


def changed_samples(loss: OutputLoss) -> str:
    """Return the first samples whose class changed."""
    named = ", ".join(map(str, loss.changed_samples[:SAMPLES]))
    return f"{named}, …" if loss.changed > SAMPLES else named


def sqnr(found: OutputError | LayerLoss) -> str:
    """Return a signal to noise ratio."""
    if abs(found.sqnr_db) == inf:
        return "no signal" if found.max_abs else "no difference"
    return f"{found.sqnr_db:.1f} dB"
