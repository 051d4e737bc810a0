"""What every simulated plant does alike: reset, ticks, commands, faults, sensing, snapshots, hashes.

Nothing here knows what the robot is made of. A robot adds its own physics; `SimulatedPlant` is abstract, robots' plants
are final.
"""

from __future__ import annotations

import abc
import hashlib
import struct
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from healing_runtime.core.records import Scenario
from healing_runtime.core.signals import SignalTable

from .commands import Command, CommandLine
from .faults import Schedule
from .sensing import Held, Sensors
from .world import World


class Condition:
    """What may be wrong with any robot; a robot's own condition adds to it, and faults act on it."""

    __slots__ = ("actuator_delay_s", "command_lost")
    least_payload_kg: ClassVar[float] = 0.0
    """The least that a payload may weigh; negative where a robot may lose mass."""
    most_force_n: ClassVar[float] = 1e6
    """The strongest push along an axis, and in N s what one gives in a second: beyond, Bullet ends before physics."""
    planar: ClassVar[bool] = False
    """Whether the robot moves along x and z alone."""

    def __init__(self) -> None:
        self.actuator_delay_s = 0.0
        self.command_lost = False


class Keyframe(NamedTuple):
    """All state at a tick boundary. `bullet` is Bullet's own; the rest is what Bullet does not restore."""

    run: int
    bullet: int
    step: int
    onsets: tuple[tuple[int, int], ...]
    kept: tuple[float, ...]
    commands: tuple[tuple[int, Command], ...]
    sensors: Held
    sample: np.ndarray


class SimulatedPlant(abc.ABC):
    """A plant in a Bullet world of its own (see `healing_runtime.core.plant.Plant`).

    The true vector begins with the true values of the observed signals and ends with the sensors' ages; a robot
    delivers what lies before the ages.
    """

    signals: SignalTable
    name: str
    fault_kinds: Mapping[str, type]
    condition: ClassVar[type[Condition]]

    def __init__(self) -> None:
        self._world = World()
        self._commands = CommandLine()
        self._run = 0
        self._observed = self.signals.observed.size
        self._pack = struct.Struct(f"{self._observed + self.signals.true.size}d").pack

    # ------------------------------------------------------------ what a robot adds
    @abc.abstractmethod
    def _build(self, scenario: Scenario) -> None:
        """Set the robot's own state for t = 0, and clear and fill the world."""

    @abc.abstractmethod
    def _suffer(self, condition: Any) -> None:
        """Take over a condition: the faults changed at this physics step, or the plant was restored."""

    def _surround(self, condition: Any) -> None:  # noqa: B027 (a robot needs no surroundings that may change)
        """Take over what a condition says of the robot's surroundings, before `_suffer`; here there are none."""

    def _part(self) -> None:  # noqa: B027 (a robot need not touch anything)
        """Break every contact: Bullet restores those that there were, not that there were none."""

    @abc.abstractmethod
    def _obey(self, command: Command) -> None:
        """The actuators have a new command."""

    @abc.abstractmethod
    def _begin_period(self) -> None:
        """A control period starts: forget what is accumulated over one."""

    @abc.abstractmethod
    def _fly(self, end: int) -> None:
        """Advance from physics step `_step` to `end` with command and condition as they are; `_step` has to be `end`.

        What the robot keeps of Bullet's state is up to date before, and has to be after.
        """

    @abc.abstractmethod
    def _true_values(self) -> tuple[float, ...]:
        """The true vector without the ages, at the end of a control period or at t = 0."""

    @abc.abstractmethod
    def _read_world(self) -> tuple[float, ...]:
        """Read Bullet's state anew, and give it as numbers."""

    @abc.abstractmethod
    def _kept(self) -> tuple[float, ...]:
        """The robot's state outside Bullet, the command that it obeys included."""

    @abc.abstractmethod
    def _keep(self, values: tuple[float, ...]) -> None:
        """Take over what `_kept` gave."""

    # ------------------------------------------------------------ the Plant protocol
    def reset(self, scenario: Scenario, seed: int) -> None:
        """Build the world of `scenario` at t = 0. InputError where the robot cannot take one of its faults."""
        self._run += 1
        self._substeps = scenario.substeps
        self._physics_hz = scenario.physics_hz
        self._dt_s = 1.0 / scenario.physics_hz
        self._step = 0
        self._schedule = Schedule(scenario.faults, self.fault_kinds, self.name)
        self._schedule.prepare(scenario, seed)
        self._commands.restore(())
        self._sensors = Sensors(self.signals.observed, scenario.dt_s, self._schedule.longest_delay_s)
        self._build(scenario)
        self._read_world()
        self._change()
        self._sample()

    def idle_faults(self) -> tuple[int, ...]:
        """The numbers of the scenario's faults that change nothing in a flight, at these rates and with its seed."""
        return self._schedule.idle(self.condition, self._felt, self._observed)

    def _felt(self, condition: Any) -> tuple[Any, ...]:
        """What becomes of a condition here: delays are worth whole steps."""
        slots = [slot for base in type(condition).__mro__ for slot in getattr(base, "__slots__", ())]
        delay_steps = round(condition.actuator_delay_s * self._physics_hz)
        return (delay_steps, *(getattr(condition, slot) for slot in slots if slot != "actuator_delay_s"))

    def observe(self) -> np.ndarray:
        """Sensed values, layout `signals.observed`. Do not write into it."""
        return self._sampled[: self._observed]

    def truth(self) -> np.ndarray:
        """True values, layout `signals.true`. Do not write into it."""
        return self._sampled[self._observed :]

    def sample(self) -> np.ndarray:
        """Both, side by side. Do not write into it."""
        return self._sampled

    def apply(self, action: np.ndarray) -> None:
        """Command for the next control period, layout `signals.action`; it arrives when the line delivers it."""
        arrived = self._commands.give(self._step, tuple(action.tolist()))
        if arrived is not None:
            self._obey(arrived)

    def step(self) -> None:
        """Advance one control period."""
        self._begin_period()
        schedule, commands = self._schedule, self._commands
        end = self._step + self._substeps
        if schedule.next_step >= end <= commands.next_step:
            self._fly(end)
        else:
            self._fly_in_parts(end)
        self._sample()

    def _fly_in_parts(self, end: int) -> None:
        """Advance to `end`, with what changes or arrives on the way."""
        schedule, commands = self._schedule, self._commands
        while self._step < end:
            if self._step >= schedule.next_step:
                self._change()
            if self._step >= commands.next_step:
                self._obey(commands.arrived(self._step))
            self._fly(min(end, schedule.next_step, commands.next_step))

    def begin(self, fault: int) -> None:
        """A fault that waits for its formula begins with the next physics step."""
        self._schedule.begin(fault, self._step)
        self._change()

    def snapshot(self) -> Keyframe:
        """All state at this tick boundary; free it with `release`."""
        return Keyframe(
            self._run,
            self._world.save(),
            self._step,
            self._schedule.save(),
            self._kept(),
            self._commands.save(),
            self._sensors.save(),
            self._sampled,
        )

    def restore(self, snapshot: Keyframe) -> None:
        """Return to a keyframe taken since the last reset; `state_hash` tells whether it came back.

        Raises:
            ValueError: the plant was reset since.
        """
        if snapshot.run != self._run:
            raise ValueError("this keyframe is from before the last reset; re-execute the recipe.")
        self._part()
        self._world.restore(snapshot.bullet)
        self._step = snapshot.step
        self._schedule.restore(snapshot.onsets)
        self._read_world()
        self._keep(snapshot.kept)
        self._commands.restore(snapshot.commands)
        self._change()
        self._sensors.restore(snapshot.sensors)
        self._sampled = snapshot.sample

    def release(self, snapshot: Keyframe) -> None:
        """Free a keyframe. A reset has freed those before it; Bullet has given their numbers away since."""
        if snapshot.run == self._run:
            self._world.discard(snapshot.bullet)

    def state_hash(self) -> str:
        """sha256 over the float64 state: Bullet's, ours, commands under way, what the sensors delivered and hold."""
        held = self._sensors.save()
        numbers = [self._step, *self._read_world(), *self._kept(), *held.missed]
        for arrival, command in self._commands.save():
            numbers += [arrival, *command]
        for onset in self._schedule.save():
            numbers += onset
        data = struct.pack(f"<{len(numbers)}d", *numbers) + held.as_bytes()
        return hashlib.sha256(data + self.truth().tobytes() + held.on_its_way()).hexdigest()

    def close(self) -> None:
        """Free the world; closing twice is allowed."""
        self._world.close()

    # ------------------------------------------------------------ within a tick
    def _change(self) -> None:
        """The faults change at this physics step: every one that is on acts on a fresh condition."""
        condition = self.condition()
        self._schedule.act(condition, self._step)
        self._commands.delay_steps = round(condition.actuator_delay_s * self._physics_hz)
        self._commands.lost = condition.command_lost
        self._surround(condition)
        self._suffer(condition)

    def _sample(self) -> None:
        """Fix truth and readings of this tick."""
        if self._step >= self._schedule.next_step:
            self._change()
        values, sensors, observed = self._true_values(), self._sensors, self._observed
        reading = sensors.sample(values[:observed], self._step // self._substeps, self._schedule.sensing)
        # Through bytes: NumPy takes twice as long to look at a tuple. What comes of it cannot be written into.
        self._sampled = np.frombuffer(self._pack(*reading, *values, *sensors.ages_s))
