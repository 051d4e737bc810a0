"""What every plant with a single body does alike: reset, ticks, sensing, snapshots, hashes.

A robot adds its own physics in four methods. `BodyPlant` is abstract; robots' plants are final.
"""

from __future__ import annotations

import abc
import hashlib
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from healing_runtime.core.records import Scenario
from healing_runtime.core.signals import SignalTable

from .faults import Schedule
from .sensing import Sensors
from .touchdown import Touchdown
from .world import Body, Pad, Pose, World


class Start(NamedTuple):
    """How a world begins."""

    gravity_mps2: float
    pad: Pad
    body: Body
    pose: Pose


class Keyframe(NamedTuple):
    """All state at a tick boundary. `bullet` is Bullet's own; the rest is what Bullet does not restore."""

    run: int
    bullet: int
    step: int
    own: tuple[float, ...]
    touchdown: tuple[float, ...]
    sensors: Any
    truth: np.ndarray


class BodyPlant(abc.ABC):
    """A plant whose physics is one rigid body above a pad (see `healing_runtime.core.plant.Plant`).

    The true vector begins with the true values of the observed signals and ends with the sensors' ages; a robot
    delivers what lies before the ages.
    """

    signals: SignalTable
    name: str
    fault_kinds: Mapping[str, type]

    def __init__(self) -> None:
        self._world = World()
        self._run = 0

    # ------------------------------------------------------------ what a robot adds
    @abc.abstractmethod
    def _begin(self, scenario: Scenario) -> Start:
        """Set the robot's own state for t = 0 and say how the world begins."""

    @abc.abstractmethod
    def _change(self) -> None:
        """The faults change at this physics step: make a fresh condition, let `_schedule` act on it, take it over."""

    @abc.abstractmethod
    def _fly(self, end: int) -> None:
        """Advance from physics step `_step` to `end` with the command and the condition as they are.

        `_pose` is Bullet's state before, and has to be Bullet's state after; `_step` has to be `end`.
        """

    @abc.abstractmethod
    def _true_values(self) -> tuple[float, ...]:
        """The true vector without the ages; also ends the period of the land detector unless at t = 0."""

    @abc.abstractmethod
    def _own_state(self) -> tuple[float, ...]:
        """The robot's state outside Bullet, the last command included."""

    @abc.abstractmethod
    def _set_own_state(self, values: tuple[float, ...]) -> None:
        """Take over what `_own_state` gave."""

    # ------------------------------------------------------------ the Plant protocol
    def reset(self, scenario: Scenario, seed: int) -> None:
        """Build the world of `scenario` at t = 0. InputError where the robot cannot take one of its faults."""
        self._run += 1
        self._substeps = scenario.substeps
        self._dt_s = 1.0 / scenario.physics_hz
        self._step = 0
        self._schedule = Schedule(scenario.faults, self.fault_kinds, self.name)
        self._schedule.prepare(seed, scenario.duration_ticks)
        self._touchdown = Touchdown(scenario.control_hz, scenario.physics_hz)
        self._sensors = Sensors(self.signals.observed, scenario.dt_s)
        start = self._begin(scenario)
        self._world.build(scenario.physics_hz, start.gravity_mps2, start.pad, start.body, start.pose)
        self._pose = self._world.pose()
        self._change()
        self._sample()

    def observe(self) -> np.ndarray:
        """Sensed values, layout `signals.observed`. Do not write into it."""
        return self._sensors.reading

    def truth(self) -> np.ndarray:
        """True values, layout `signals.true`. Do not write into it."""
        return self._truth

    @abc.abstractmethod
    def apply(self, action: np.ndarray) -> None:
        """Command for the next control period, layout `signals.action`."""

    def step(self) -> None:
        """Advance one control period."""
        self._touchdown.begin_period()
        end = self._step + self._substeps
        while self._step < end:
            if self._step >= self._schedule.next_step:
                self._change()
            self._fly(min(end, self._schedule.next_step))
        self._sample()

    def snapshot(self) -> Keyframe:
        """All state at this tick boundary; free it with `release`."""
        return Keyframe(
            self._run,
            self._world.save(),
            self._step,
            self._own_state(),
            self._touchdown.save(),
            self._sensors.save(),
            self._truth,
        )

    def restore(self, snapshot: Keyframe) -> None:
        """Return to a keyframe taken since the last reset; `state_hash` tells whether it came back.

        Raises:
            ValueError: the plant was reset since.
        """
        if snapshot.run != self._run:
            raise ValueError("this keyframe is from before the last reset; re-execute the recipe.")
        self._world.restore(snapshot.bullet)
        self._step = snapshot.step
        self._pose = self._world.pose()
        self._set_own_state(snapshot.own)
        self._touchdown.restore(snapshot.touchdown)
        self._change()
        self._sensors.restore(snapshot.sensors)
        self._truth = snapshot.truth

    def release(self, snapshot: Keyframe) -> None:
        """Free a keyframe. A reset has freed those before it; Bullet has given their numbers away since."""
        if snapshot.run == self._run:
            self._world.discard(snapshot.bullet)

    def state_hash(self) -> str:
        """sha256 over the float64 state: Bullet's, ours, and what the sensors delivered and hold."""
        pose = self._world.pose()
        reading, raw, missed = self._sensors.save()
        numbers = [
            self._step,
            *pose.position_m,
            *pose.q_xyzw,
            *pose.velocity_mps,
            *pose.angular_velocity_radps,
            *self._own_state(),
            *self._touchdown.save(),
            *missed,
        ]
        data = struct.pack(f"<{len(numbers)}d", *numbers) + reading.tobytes() + raw.tobytes() + self._truth.tobytes()
        return hashlib.sha256(data).hexdigest()

    def close(self) -> None:
        """Free the world; closing twice is allowed."""
        self._world.close()

    def _sample(self) -> None:
        """Fix truth and readings of this tick."""
        if self._step >= self._schedule.next_step:
            self._change()
        truth = np.array((*self._true_values(), *self._sensors.no_ages))
        tick, sensing = self._step // self._substeps, self._schedule.sensing
        if self._sensors.sample(truth[: self.signals.observed.size], tick, sensing):
            truth[-len(self._sensors.ages_s) :] = self._sensors.ages_s
        self._truth = truth
