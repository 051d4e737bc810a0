from __future__ import annotations

import dataclasses

import gate_kit as kit
import pytest

from healing_runtime.gate.trials import resume_ticks


@pytest.mark.parametrize(
    ("trip", "ticks"),
    [
        (0, (0,)),
        (1, (0,)),
        (12, (0,)),
        (13, (12, 0)),
        (24, (12, 0)),
        (100, (96, 84, 60, 12, 0)),
        (240, (228, 216, 192, 144, 48, 0)),
    ],
)
def test_rewind_goes_back_by_doubling_and_last_to_the_start(trip, ticks):
    scenario = dataclasses.replace(kit.scenario(), control_hz=48)
    assert resume_ticks(scenario, trip) == ticks


def test_freeze_goes_on_from_the_trip():
    assert resume_ticks(kit.scenario(policy="freeze"), 37) == (37,)
