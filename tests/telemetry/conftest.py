"""A robot's signals, for readers of files."""

from __future__ import annotations

import pytest

from healing_runtime.core.signals import Layout, Signal, SignalTable

SENSED = (
    Signal("altitude", "m"),
    Signal("velocity", "m/s", (3,), ("x", "y", "z")),
    Signal("rotor_speed", "rad/s", (4,)),
)


@pytest.fixture(scope="session")
def table():
    true = (*SENSED, Signal("tilt", "rad"), Signal("contact"), Signal("charge"), Signal("altitude_age", "s"))
    return SignalTable(observed=Layout(SENSED), action=Layout(()), true=Layout(true))
