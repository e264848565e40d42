"""How the report describes differences: where they begin, how large they are, what they cost."""

from __future__ import annotations

from hwflow.report.losses import LayerLossData, OutputLossData
from hwflow.report.schema import DivergenceData, OutputErrorData
from hwflow.report.words import percent, plural, real

SAMPLES = 5
"""Samples that are named of those whose class changed."""


def divergence(first: DivergenceData, expected: str, found: str) -> str:
    """Return where two computations first differ, in one sentence."""
    index = ", ".join(map(str, first.index))
    value = "no finite number" if first.found is None else real(first.found)
    noun = "step" if first.steps is not None and abs(first.steps) == 1 else "steps"
    steps = "" if first.steps is None else f", off by {real(first.steps)} {noun} of the type"
    return f"element [{index}]: {expected} {real(first.expected)}, {found} {value}{steps}"


def error_facts(error: OutputErrorData) -> tuple[tuple[str, str], ...]:
    """Return labels and values that describe the error of an output."""
    steps = f"{real(error.max_abs / error.step)} steps of {real(error.step)}"
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


def loss_facts(loss: OutputLossData) -> tuple[tuple[str, str], ...]:
    """Return labels and values that describe what an output lost by quantisation."""
    facts = [
        ("Largest difference", real(loss.max_abs)),
        ("Mean difference", real(loss.mean_abs)),
        ("SQNR", sqnr(loss)),
    ]
    if loss.kl_divergence is not None:
        of = "of the logits' softmax" if loss.softmaxed else "of the probabilities"
        facts.append(("KL divergence", f"{real(loss.kl_divergence)} nats, {of}"))
    if loss.accuracy is not None and loss.reference_accuracy is not None:
        facts.append(("Accuracy, quantised model", percent(loss.accuracy, 2)))
        facts.append(("Accuracy, float reference", percent(loss.reference_accuracy, 2)))
    if loss.argmax_agreement is not None:
        named = ", ".join(map(str, loss.changed_samples[:SAMPLES]))
        more = ", …" if loss.changed > SAMPLES else ""
        changed = f"; {plural(loss.changed, 'sample')} changed: {named}{more}" if named else ""
        facts.append(("Same class", percent(loss.argmax_agreement, 2) + changed))
    if loss.worst:
        worst = ", ".join(f"{sample.index} ({real(sample.max_abs)})" for sample in loss.worst)
        facts.append(("Samples with the largest errors", worst))
    return tuple(facts)


def sqnr(found: OutputErrorData | OutputLossData | LayerLossData) -> str:
    """Return a signal to noise ratio."""
    if found.sqnr_db is None:
        return "no signal" if found.max_abs else "no difference"
    return f"{found.sqnr_db:.1f} dB"
