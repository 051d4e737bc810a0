"""A point mass that may only push upwards: small enough for a test to fly hundreds of times."""

from __future__ import annotations

import hashlib
import os
import time

import numpy as np
from pydantic import BaseModel, ConfigDict

from healing_runtime.core.errors import InputError
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import Distribution, Perturbation
from healing_runtime.core.signals import Layout, Signal, SignalTable

ALTITUDE = Signal("altitude", "m", scale=1.0)
VELOCITY = Signal("velocity", "m/s", scale=1.0)
THRUST = Signal("thrust", "N", low=0.0, high=20.0, rate_per_s=1000.0, scale=20.0)
STATE = Layout((ALTITUDE, VELOCITY))
ROOF_M = 2.02
SIGNALS = SignalTable(observed=STATE, action=Layout((THRUST,)), true=STATE)


class Initial(BaseModel):
    model_config = ConfigDict(extra="forbid")
    altitude_m: float = 2.0
    velocity_mps: float = 0.0


class Environment(BaseModel):
    model_config = ConfigDict(extra="forbid")
    gravity_mps2: float = 5.0
    trouble: str = ""


class Reference(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Hopper:
    """Mass 1 kg, semi-implicit Euler. `trouble` makes a plant that misbehaves."""

    signals = SIGNALS

    def reset(self, scenario, seed):
        self._state = np.array([scenario.initial["altitude_m"], scenario.initial["velocity_mps"]], np.float64)
        self._dt_s = scenario.dt_s
        self._gravity = scenario.environment["gravity_mps2"]
        self._trouble = scenario.environment["trouble"]
        if self._trouble == "low roof" and self._state[0] > ROOF_M:
            raise InputError("it starts above the roof; start it lower.", at=("initial", "altitude_m"))
        self._thrust = 0.0
        self._ticks = 0

    def observe(self):
        return self._state.copy()

    def truth(self):
        return self._state.copy()

    def sample(self):
        return np.concatenate([self._state, self._state])

    def apply(self, action):
        self._thrust = float(action[0])

    def step(self):
        self._ticks += 1
        if self._trouble == "dies" and self._ticks == 5:
            os.abort()
        if self._trouble == "hangs" and self._ticks == 5:
            time.sleep(100)
        if self._trouble == "unrepeatable":
            self._state[1] += int.from_bytes(os.urandom(1), "big") * 1e-9
        self._state[1] += (self._thrust - self._gravity) * self._dt_s
        self._state[0] += self._state[1] * self._dt_s

    def begin(self, fault) -> None:
        raise AssertionError("it has no faults")

    def snapshot(self):
        return self._state.copy(), self._ticks

    def restore(self, snapshot):
        self._state, self._ticks = snapshot[0].copy(), snapshot[1]

    def release(self, snapshot):
        pass

    def state_hash(self):
        return "sha256:" + hashlib.sha256(self._state.tobytes()).hexdigest()

    def close(self):
        pass


ROBOT = Robot(
    name="hopper",
    description="A point mass above the ground.",
    signals=SIGNALS,
    initial=Initial,
    environment=Environment,
    reference=Reference,
    faults={},
    perturb=Perturbation(initial={"altitude_m": Distribution("normal", scale=0.1)}),
    make=Hopper,
)
