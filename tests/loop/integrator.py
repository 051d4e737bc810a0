"""A plant of one line and a program of a few, for the mechanics of the loop."""

import hashlib
from typing import Any

import numpy as np

from healing_runtime.compile.interface import ControllerInterface, ProgramInterface
from healing_runtime.compile.programs import Program
from healing_runtime.compile.vectors import Vectors, parted
from healing_runtime.core.records import Scenario
from healing_runtime.core.signals import Layout, Signal, SignalTable

TABLE = SignalTable(
    observed=Layout((Signal("position", "m"),)),
    action=Layout((Signal("velocity", "m/s", low=-1.0, high=1.0, rate_per_s=2.0),)),
    true=Layout((Signal("position", "m"), Signal("clock", "s"))),
)
SCENARIO = Scenario("r/s", "r", "c", (), None, 40, 10, 20, 3, {}, {})


class Integrator:
    """Position integrates the command; `skew` makes restored snapshots wrong on purpose."""

    signals = TABLE

    def __init__(self, skew=0.0):
        self.skew, self.x, self.u, self.t, self.resets = skew, 1.0, 0.0, 0.0, 0

    def reset(self, scenario, seed):
        self.x, self.u, self.t = 1.0, 0.0, 0.0
        self.resets += 1

    def observe(self):
        return np.array([self.x])

    def truth(self):
        return np.array([self.x, self.t])

    def sample(self):
        return np.concatenate([self.observe(), self.truth()])

    def apply(self, action):
        self.u = float(action[0])

    def step(self):
        self.x += self.u * 0.1
        self.t += 0.1

    def begin(self, fault) -> None:
        raise AssertionError("none of its faults waits for a formula")

    def snapshot(self) -> tuple[Any, ...]:
        return (self.x, self.u, self.t)

    def restore(self, snapshot):
        self.x, self.u, self.t = snapshot
        self.x += self.skew

    def release(self, snapshot):
        pass

    def state_hash(self):
        return hashlib.sha256(np.array([self.x, self.t]).tobytes()).hexdigest()

    def close(self):
        pass


def program(gain, trip_below=-np.inf):
    """Commands -gain * x, counts its ticks in its carry, trips when x < trip_below."""
    spans = {"action": (0, 1), "tripped": (1, 2), "finite": (2, 3), "state_floats": (3, 4), "state_ints": (4, 4)}
    empty = "status rho rho_lo rho_hi ended_status ended_rho contract_rho contract_ok diagnostics atoms"
    columns = {name: (3, 3) for name in empty.split()} | spans
    controller = ControllerInterface("sha256:0", "float64", (), (), (), ())
    interface = ProgramInterface(controller, 10, (), (), columns, 4)

    start = Vectors(np.zeros(1), np.zeros(0, np.int32))

    def tick(params, memory, sample):
        carry = parted(memory, start)
        packed = np.array([-gain * sample[0], float(sample[0] < trip_below), 1.0, carry.floats[0] + 1])
        return Vectors(carry.floats + 1, carry.ints).joined(), packed

    return Program(tick, interface, np.zeros(0), start, f"sha256:{gain}")
