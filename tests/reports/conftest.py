"""Recordings made by hand: a landing that keeps everything, and what can go wrong with it."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from healing_runtime import stl
from healing_runtime.core.errors import Location
from healing_runtime.core.recording import Recording
from healing_runtime.core.records import AssertionFile, AssertionText
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.core.status import Severity
from healing_runtime.reports.timeline import timelines

HZ = 10
SIGNALS = Layout(
    (
        Signal("altitude", "m"),
        Signal("speed", "m/s"),
        Signal("tilt", "rad"),
        Signal("contact"),
        Signal("position", "m", (3,), ("x", "y", "z")),
    )
)
TABLE = SignalTable(observed=SIGNALS, action=Layout(()), true=SIGNALS)
CONSTANTS = {"v_max": "0.5 m/s", "low": "30 cm"}
DEFINITIONS = {"near_ground": "altitude < low", "settled(v)": "speed < v and tilt < 5 deg"}


def landing(seconds: float = 6.0) -> Recording:
    """From 3 m down in 5 s, then at rest."""
    n = round(seconds * HZ) + 1
    t = np.arange(n) / HZ
    altitude = np.maximum(3.0 - 0.6 * t, 0.0)
    signals = {
        "altitude": altitude,
        "speed": np.where(altitude > 0, 0.4, 0.0),
        "tilt": np.full(n, np.radians(2.0)),
        "contact": (altitude == 0).astype(float),
        "position": np.stack([np.zeros(n), np.zeros(n), altitude], axis=1),
    }
    return Recording("a landing", "hopper", Fraction(1, HZ), t, signals)


def with_signal(recording: Recording, name: str, at: int | slice, value: float) -> Recording:
    """The recording with some samples of a signal replaced."""
    values = np.array(recording.signals[name], float)
    values[at] = value
    return dataclasses.replace(recording, signals={**recording.signals, name: values})


def assertion_file(*formulas: str, **more) -> AssertionFile:
    """Assertions `a0`, `a1`, …; an id before a colon is taken."""
    texts = []
    for i, formula in enumerate(formulas):
        texts.append(
            AssertionText(
                f"a{i}", formula, Location("a.yaml", i + 1, 1), Severity.CRITICAL, requirement=f"REQ-{i}",
                rationale="Because.", **more,
            )
        )  # fmt: skip
    return AssertionFile("a", "a.yaml", "0" * 64, "hopper", tuple(texts), CONSTANTS, DEFINITIONS)


@pytest.fixture
def drawn():
    """(recording, *formulas) -> their timelines."""

    def of(recording: Recording, *formulas: str, **more):
        file = assertion_file(*formulas, **more)
        return timelines(stl.bind([file], TABLE, HZ, online=False), [file], recording)

    return of
