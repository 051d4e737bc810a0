"""A scenario as a Gymnasium environment: the same plant, faults, noise and monitors, and an agent of your own.

    from healing_runtime.gym_env import make_env

    env = make_env("quadrotor/landing")

or `gymnasium.make("healing_runtime.gym_env:healing_runtime/Scenario-v0", scenario="quadrotor/landing")`. The agent
takes the controller's place; what judges the flight is what the scenario's assertion files say. Needs the extra `gym`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime import workspace
from healing_runtime.compile import devices, programs
from healing_runtime.compile import tick as ticks
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core import perturb
from healing_runtime.core.bearing import bears_of
from healing_runtime.core.errors import InputError, Location
from healing_runtime.core.signals import Layout
from healing_runtime.core.status import Severity, Status
from healing_runtime.supervisor.preparation import Prepared, prepare
from healing_runtime.workspace import LoadedScenario, as_a_record, completed, own_mistakes, set_up

try:
    import gymnasium
except ImportError:
    raise ImportError("this adapter needs gymnasium: pip install 'healing-runtime[gym]'.") from None

ENV_ID = "healing_runtime/Scenario-v0"
FARTHEST = 10.0
"""The margin is held within this, on either side: robustness may be infinite, a reward may not."""
_LARGEST = float(np.finfo(np.float32).max)


def make_env(scenario: str | Path | LoadedScenario) -> ScenarioEnv:
    """The environment of a scenario: a name, a path, or what `load_scenario` returned.

    Raises:
        InputError: the scenario or what it names is wrong; file:line:column, what is wrong, what to do.
    """
    made = gymnasium.make(ENV_ID, scenario=scenario, disable_env_checker=True).unwrapped
    assert isinstance(made, ScenarioEnv)
    return made


class ScenarioEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """One flight of a scenario an episode, one control period a step. Final.

    Observation: the sensed vector in the order of the robot's signal table, in the scenario's dtype and in SI units,
    held within the table's limits (a float32's largest number where there are none).

    Action: the command over the actuators' limits, in the table's order: 0 … 1 for an actuator that starts at 0, else
    −1 … 1 from its lower to its upper limit. Rates are limited as in every flight.

    Reward: by how much the margin of safety changed in this step, and 1 more when the mission is accomplished. The
    margin is the least scaled robustness of the critical assertions if the flight ended here, held within ±`FARTHEST`;
    what cannot be judged counts as −`FARTHEST`. So the rewards of an episode add up to the margin of the whole flight
    less that of its first sample, and 1 for the mission.

    Terminated: an assertion tripped, or the mission is accomplished. Truncated: the scenario's duration is over.

    Info: `tick`, `margin`, `tripped` (ids), `accomplished`, and `verdicts`: id -> `{status, robustness}`, if the flight
    ended here; robustness is unscaled, None where it is no number.

    Reset: the seed alone drives the noise; without one, episodes go on from the last. `options={"perturb": True}` draws
    initial state, environment and faults as the scenario's `perturb` says; nothing else is known there.
    """

    def __init__(self, scenario: str | Path | LoadedScenario, render_mode: None = None) -> None:
        if render_mode is not None:
            raise InputError(f"there is no render mode {render_mode!r}; leave it out.")
        prepared = _prepared(scenario)
        self._robot = prepared.robot
        self._scenario, self._requirements, table = prepared.scenario, prepared.requirements, prepared.table
        if getattr(self._scenario, "triggers", ()):
            where = Location(str(prepared.loaded.path))
            raise InputError("here no fault may wait for a formula; give it a 'start' instead of 'when'.", where=where)
        self._layout = table.action
        self.observation_space = _observations(table.observed, self._scenario.dtype)
        self.action_space = _actions(table.action, prepared.robot.name)
        self._judge = _Judge(prepared)
        self._rate = np.concatenate([np.full(s.size, s.rate_per_s) for s in table.action]) / self._scenario.control_hz
        self._plant = set_up(prepared.robot, self._scenario)
        self._flying = self._closed = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        """Begin a flight.

        Raises:
            InputError: the environment is closed, an option is unknown or no Boolean, or the robot's own code raises.
                No flight is under way then.
        """
        self._must_be_open()
        self._flying = False
        perturbed = _perturbed(options)
        super().reset(seed=seed)
        scenario, noise = self._scenario, int(self.np_random.integers(perturb.SEEDS))
        if perturbed:
            with own_mistakes(self._robot):
                scenario = perturb.draw(scenario, self.np_random, bears_of(self._plant))
        self._tick, self._held = 0, None
        self._judge.begin()
        with own_mistakes(self._robot):
            self._plant.reset(scenario, noise)
            judged = self._judge.look(self._plant.truth(), self._plant.observe())
            observation = self._observation()
        self._margin, self._flying = judged.margin, True
        return observation, self._told(judged)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Fly one control period.

        Raises:
            InputError: the environment is closed, there is no flight, or the action is no finite vector of real numbers
                of the action space's shape; or the robot's own code raises, which ends the flight.
        """
        self._must_be_open()
        if not self._flying:
            raise InputError("no flight is under way; call reset first.")
        command, self._flying = self._command(action), False
        with own_mistakes(self._robot):
            self._plant.apply(command)
            self._plant.step()
            self._tick += 1
            judged = self._judge.look(self._plant.truth(), self._plant.observe())
            observation = self._observation()
        reward, self._margin = judged.margin - self._margin + float(judged.accomplished), judged.margin
        terminated = bool(judged.tripped) or judged.accomplished
        truncated = not terminated and self._tick >= self._scenario.duration_ticks
        self._flying = not terminated and not truncated
        return observation, reward, terminated, truncated, self._told(judged)

    def render(self) -> None:
        """Nothing: there is no render mode."""

    def close(self) -> None:
        """Free the world; closing twice is allowed."""
        self._plant.close()
        self._flying, self._closed = False, True

    def _must_be_open(self) -> None:
        if self._closed:
            raise InputError("this environment is closed; make another one.")

    def _command(self, action: np.ndarray) -> np.ndarray:
        given = _real_numbers(action)
        if given is None or given.shape != self.action_space.shape or not np.isfinite(given).all():
            raise InputError(f"an action is {self.action_space.shape} finite numbers, not {action!r}.")
        assert isinstance(self.action_space, gymnasium.spaces.Box)
        low, high, lowest = self._layout.low, self._layout.high, self.action_space.low
        share = (np.clip(given, lowest, 1.0) - lowest) / (1.0 - lowest)
        command = np.clip(low + share * (high - low), low, high)
        if self._held is not None:
            command = np.clip(command, self._held - self._rate, self._held + self._rate)
        self._held = command
        return command

    def _observation(self) -> np.ndarray:
        space = self.observation_space
        assert isinstance(space, gymnasium.spaces.Box)
        return np.clip(self._plant.observe().astype(space.dtype), space.low, space.high)

    def _told(self, judged: _Judged) -> dict[str, Any]:
        verdicts = {
            requirement.id: {"status": Status(int(status)).word, "robustness": float(rho) if rho == rho else None}
            for requirement, status, rho in zip(self._requirements, judged.status, judged.rho, strict=True)
        }
        return {
            "tick": self._tick,
            "margin": judged.margin,
            "tripped": list(judged.tripped),
            "accomplished": judged.accomplished,
            "verdicts": verdicts,
        }


def _prepared(scenario: str | Path | LoadedScenario) -> Prepared:
    """The scenario with all it names; one that came from Python is held to what a file is held to."""
    if isinstance(scenario, LoadedScenario):
        record = as_a_record(scenario.scenario)
        record = completed(record, workspace.open().robot(record.robot))
        scenario = dataclasses.replace(scenario, scenario=record)
    return prepare(scenario)


def _perturbed(options: Any) -> bool:
    """What `reset`'s options say of `perturb`."""
    if options is not None and not isinstance(options, Mapping):
        raise InputError(f"the options are {options!r}; give a dict, as {{'perturb': True}}.")
    unknown = sorted(str(key) for key in options or {} if key != "perturb")
    if unknown:
        raise InputError(f"reset knows no option '{unknown[0]}'; there is 'perturb'.")
    perturbed = (options or {}).get("perturb", False)
    if not isinstance(perturbed, bool):
        raise InputError(f"the option 'perturb' is {perturbed!r}; give True or False.")
    return perturbed


def _real_numbers(action: Any) -> np.ndarray | None:
    """What was given as float64; None where it is anything but real numbers: a text is no number, nor is 1 + 2j."""
    try:
        given = np.asarray(action)
    except (TypeError, ValueError):  # rows of different lengths
        return None
    return given.astype(np.float64) if given.dtype.kind in "iuf" else None


# ---------------------------------------------------------------- spaces
def _observations(layout: Layout, dtype: str) -> gymnasium.spaces.Box:
    low, high = (np.clip(limit, -_LARGEST, _LARGEST).astype(dtype) for limit in (layout.low, layout.high))
    return gymnasium.spaces.Box(low, high, dtype=np.dtype(dtype).type)


def _actions(layout: Layout, robot: str) -> gymnasium.spaces.Box:
    if not np.isfinite([layout.low, layout.high]).all():
        raise InputError(f"'{robot}' has an actuator without limits, which no box holds; give its signal low and high.")
    lowest = np.where(layout.low == 0.0, 0.0, -1.0).astype(np.float32)
    return gymnasium.spaces.Box(lowest, np.ones_like(lowest), dtype=np.float32)


# ---------------------------------------------------------------- judging
class _Judged:
    """One sample judged: verdicts as if the flight ended here, what tripped, the mission, the margin of safety."""

    def __init__(self, requirements: tuple[Any, ...], now: np.ndarray, status: np.ndarray, rho: np.ndarray) -> None:
        self.status, self.rho = status, rho
        reached = {r.id: Status(int(code)) for r, code in zip(requirements, now, strict=True)}
        trips = [r for r in requirements if r.mission or r.severity == Severity.CRITICAL]
        self.tripped = tuple(r.id for r in trips if reached[r.id].violated)
        missions = [reached[r.id] for r in requirements if r.mission]
        self.accomplished = bool(missions) and all(verdict is Status.TRUE for verdict in missions)
        critical = np.array([r.severity == Severity.CRITICAL and not r.mission for r in requirements], bool)
        scaled = (rho / np.array([r.scale for r in requirements]))[critical]
        least = np.where(np.isnan(scaled), -np.inf, scaled).min(initial=np.inf)
        self.margin = float(np.clip(least, -FARTHEST, FARTHEST))


class _Judge:
    """The scenario's monitors, one call a sample."""

    def __init__(self, prepared: Prepared) -> None:
        scenario, table = prepared.scenario, prepared.table
        self._requirements, self._dtype = prepared.requirements, np.dtype(scenario.dtype)
        devices.run_in_calling_thread()
        programs.use_dtype(scenario.dtype)
        monitors = ticks.judge(prepared.requirements, table, scenario.control_hz, self._dtype)

        def update(memory: Vectors, true: Any, observed: Any) -> tuple[Vectors, Any]:
            memory, out = monitors.update(memory, true, observed)
            rows = (out.now.status.astype(self._dtype), out.ended.status.astype(self._dtype), out.ended.rho)
            return memory, jnp.stack(rows)

        zeros = (np.zeros(layout.size, self._dtype) for layout in (table.true, table.observed))
        self._start = monitors.start
        self._update = jax.jit(update, donate_argnums=(0,)).lower(self._start, *zeros).compile()

    def begin(self) -> None:
        """A flight begins: forget the last one."""
        self._memory = Vectors(self._start.floats.copy(), self._start.ints.copy())

    def look(self, true: np.ndarray, observed: np.ndarray) -> _Judged:
        """Judge the next sample."""
        sample = (vector.astype(self._dtype) for vector in (true, observed))
        self._memory, out = self._update(self._memory, *sample)
        return _Judged(self._requirements, *np.asarray(out, np.float64))


gymnasium.register(ENV_ID, entry_point=f"{__name__}:ScenarioEnv")
