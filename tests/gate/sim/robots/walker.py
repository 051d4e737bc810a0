"""The hopper with an actuator that cannot follow a jump: a quarter of its range in a tick."""

from __future__ import annotations

import dataclasses

from healing_runtime.core.signals import Layout, SignalTable

from . import hopper

SLOW = dataclasses.replace(hopper.THRUST, rate_per_s=250.0)
SIGNALS = SignalTable(observed=hopper.STATE, action=Layout((SLOW,)), true=hopper.STATE)


class Walker(hopper.Hopper):
    signals = SIGNALS


ROBOT = dataclasses.replace(hopper.ROBOT, name="walker", signals=SIGNALS, make=Walker)
