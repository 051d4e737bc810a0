"""Reasons are checked against the recording: a sentence says nothing that does not stand there, at that time."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest

from healing_runtime import stl
from healing_runtime.app.assertions.reasons import Reasons
from healing_runtime.core.errors import Location
from healing_runtime.core.recording import Recording
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.core.status import Severity, Status
from healing_runtime.stl import Requirement
from healing_runtime.stl.judged import judge
from healing_runtime.stl.text import Text
from healing_runtime.stl.ticks import in_ticks

LENGTH, DT_S = 14, 0.5
SAID = re.compile(
    r"\bat ([\d.]+) s|\b([xypq]) is (true|false|-?[\d.]+)|'([xy] [<>]=? [\d.]+)' (asks for|holds|does not hold)"
)


def reasons(texts, **signals):
    """(the sentence, the verdict) of each text over samples half a second apart."""
    samples = {name: np.asarray(values, np.float64) for name, values in signals.items()}
    layout = Layout(tuple(Signal(name) for name in samples))
    table = SignalTable(observed=layout, action=Layout(()), true=layout)
    t_s = np.arange(len(next(iter(samples.values())))) * DT_S
    recording = Recording("by hand", "r", Fraction(1, 2), t_s, samples)
    where = Location("file.yaml", 1, 1)
    wanted = [
        Requirement(
            f"r{i}", in_ticks(stl.parse(text), Fraction(1, 2)), Severity.CRITICAL, False, text, 1.0, "file", where,
            Text(text, where),
        )
        for i, text in enumerate(texts)
    ]  # fmt: skip
    told = Reasons(recording, table)
    return [(told.sentence(found), found) for found in judge(wanted, samples, np.float32)]


def reason(text, **signals):
    (found,) = reasons([text], **signals)
    return found


def parts(sentence):
    """Every value and every clause of a sentence, with the time that was told last."""
    t_s = float("nan")
    for instant, name, value, clause, verb in SAID.findall(sentence):
        if instant:
            t_s = float(instant)
        elif name:
            yield t_s, name, value
        else:
            yield t_s, clause, verb


def values(sentence):
    return [part for part in parts(sentence) if part[1] in "xypq"]


@pytest.mark.parametrize("seed", [51, 53])
def test_what_a_sentence_says_of_an_instant_is_so_in_the_recording(brute, seed):
    formulas = brute.Formulas(seed=seed)
    texts, data = [brute.text(formulas.online()) for _ in range(40)], formulas.trace(LENGTH)
    checked, instants = 0, set()
    for text, (sentence, judged) in zip(texts, reasons(texts, **data), strict=True):
        for t_s, what, said in parts(sentence):
            where = (text, data, sentence, t_s, what, said)
            here = {name: column[round(t_s / DT_S)] for name, column in data.items()}
            if what in here:
                assert float(said) == pytest.approx(here[what], rel=1e-3), where
                checked += 1
            else:
                kept = judged.status is Status.TRUE  # then what came closest is told as asked for, and is so
                assert eval(what, {}, here) is {"asks for": kept, "holds": True, "does not hold": False}[said], where
        instants.add(len({t_s for t_s, *_ in parts(sentence)}))
    assert checked > 30 and max(instants) > 1, (checked, instants)


def test_two_instants_are_never_under_one_time():
    said, _ = reason(
        "always ((rise(held_for[1 ticks] (x > 0.6))) implies eventually[0 ticks, 2 ticks] (x < 0.5))",
        x=[0.2, 0.7, 0.7, 0.55, 0.58, 0.4],
    )
    assert values(said) == [(0.0, "x", "0.2"), (0.5, "x", "0.7"), (1.5, "x", "0.55")], said


def test_an_edge_that_must_not_come_is_told_with_the_one_before_it():
    text = "always (rise(p) implies (not once[1 ticks, 4 ticks] rise(p)))"
    said, judged = reason(text, p=[0, 1, 0, 0, 0, 1, 1])
    assert judged.violated_at == 5
    assert said == (
        "false at 2.5 s: at 2 s p is false and at 2.5 s p is true and at 0 s p is false and at 0.5 s p is true"
    )


def test_a_trigger_is_told_as_what_was_the_case_and_not_as_what_was_asked():
    said, _ = reason("always ((not (x < 3)) implies (y < 1))", x=[0, 5], y=[0, 4])
    assert said == (
        "false at 0.5 s: x is 5, so 'x < 3' does not hold (less than 3) and y is 4, 'y < 1' asks for less than 1"
    )


def test_what_came_closest_under_a_negation_did_not_hold():
    said, _ = reason("always (not (x > 3))", x=[0, 2, 1])
    assert said == "true; closest at 0.5 s: x is 2, so 'x > 3' does not hold (more than 3)"


def test_a_window_that_lies_before_the_first_sample_takes_no_time_from_what_follows():
    """The window is named without its instant, so the value after it must say its own."""
    said, judged = reason(
        "always[0 ticks, 0 ticks] ((once[2 ticks, 3 ticks] p) or eventually[0 ticks, 2 ticks] q)",
        p=[1, 1, 1, 1],
        q=[0, 0, 0, 0],
    )
    assert judged.violated_at == 2
    assert "looks back to before the first sample and at 0 s q is false" in said


def test_large_numbers_are_written_out():
    said, _ = reason("always (x < 12000)", x=[0, 34567.8])
    assert "x is 34568, 'x < 12000' asks for less than 12000" in said
