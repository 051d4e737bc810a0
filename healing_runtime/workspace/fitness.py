"""A robot's plant, held to `core.plant.Plant` before anything relies on it; what it raises is told as its own mistake.

Robots are Python that anybody may write, and nothing checks it before it flies. So a fresh plant has to show at tick 0
that it has what the protocol asks for and gives vectors of the signal table's sizes. In flight it is not watched, which
would cost every tick: an exception that came through the robot's own code is told as the robot's, any other is ours.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from healing_runtime.core.errors import HealingError, InputError, Location
from healing_runtime.core.plant import Plant, Robot
from healing_runtime.core.records import Scenario
from healing_runtime.workspace.document import display
from healing_runtime.workspace.plants import PRIVATE

METHODS = tuple(name for name in vars(Plant) if not name.startswith("_") and callable(getattr(Plant, name)))
"""What a plant has to have."""
_SAMPLE = "def sample(self): return np.concatenate([self.observe(), self.truth()])"


def set_up(robot: Robot, scenario: Scenario) -> Plant:
    """A new plant at tick 0 of the scenario that has shown it is one.

    Raises:
        InputError: at the robot's file: the method, what is wrong with it and what to do; or what the plant itself
            has against the scenario.
    """
    plant = new_plant(robot)
    try:
        with own_mistakes(robot, "reset"):
            plant.reset(scenario, scenario.seed)
        must_sample(plant, robot)
    except BaseException:
        with contextlib.suppress(Exception):  # what is wrong already is told
            plant.close()
        raise
    return plant


def new_plant(robot: Robot) -> Plant:
    """A new plant with all methods of the protocol and the robot's signals. InputError as `set_up`."""
    with own_mistakes(robot, "make"):
        plant = robot.make()
    if plant is None:
        raise _unfit(robot, "make gives None; let it return a new plant")
    for name in METHODS:
        if not callable(getattr(plant, name, None)):
            purpose = (inspect.getdoc(getattr(Plant, name)) or "").partition("\n")[0]
            add = f"'{_SAMPLE}'" if name == "sample" else f"it (core/plant.py: '{purpose}')"
            raise _unfit(robot, f"the plant {type(plant).__name__} has no method '{name}'; add {add}")
    if getattr(plant, "signals", None) != robot.signals:
        raise _unfit(robot, f"the plant {type(plant).__name__} has other 'signals' than ROBOT; give both the same")
    return plant


def must_sample(plant: Plant, robot: Robot) -> None:
    """Refuse a plant that was just reset and whose vectors are not what the signal table says. InputError at its file.

    A first sample that is not finite is the plant's doing: no controller has acted yet.
    """
    observed, true = robot.signals.observed, robot.signals.true
    sensed = [f"observed({name})" for name in observed.columns]
    parts = [
        _vector(plant, robot, "observe", sensed, "signals.observed"),
        _vector(plant, robot, "truth", list(true.columns), "signals.true"),
    ]
    both = _vector(plant, robot, "sample", [*sensed, *true.columns], "signals.observed and then signals.true")
    if both.tobytes() != np.concatenate(parts).tobytes():
        differs = np.concatenate(parts) != both
        names = ", ".join(np.asarray([*sensed, *true.columns])[differs]) or "the sign of a zero"
        raise _unfit(robot, f"sample is not what observe and truth give ({names}); write '{_SAMPLE}'")
    with own_mistakes(robot, "state_hash"):
        found = plant.state_hash()
    if not isinstance(found, str):
        raise _unfit(robot, f"state_hash gives a {type(found).__name__}; give the sha256 as text")


@contextlib.contextmanager
def own_mistakes(robot: Robot, method: str | None = None) -> Iterator[None]:
    """An exception that came through the code of a `sim/` folder becomes one of the robot's; any does in a `method`.

    Raises:
        InputError: at the robot's file: where in its code, and the exception in one line.
    """
    try:
        yield
    except HealingError:
        raise
    except Exception as error:
        own = [
            (Path(frame.f_code.co_filename), line, frame.f_code.co_name)
            for frame, line in traceback.walk_tb(error.__traceback__)
            if str(frame.f_globals.get("__name__", "")).startswith(PRIVATE)
        ]
        if not own and method is None:
            raise
        at = f" ({display(own[-1][0])}:{own[-1][1]}, in {own[-1][2]})" if own else ""
        cause = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".:")
        doing = "in flight" if method is None else f"in its {method}"
        raise _unfit(robot, f"the plant failed {doing}{at}: {cause}; correct it") from error


def _vector(plant: Plant, robot: Robot, method: str, names: list[str], layout: str) -> np.ndarray:
    with own_mistakes(robot, method):
        found = getattr(plant, method)()
    wanted = f"give a float64 vector of {len(names)}, layout {layout}"
    if not isinstance(found, np.ndarray):
        raise _unfit(robot, f"{method} gives a {type(found).__name__}; {wanted}")
    if found.shape != (len(names),) or found.dtype != np.float64:
        raise _unfit(robot, f"{method} gives {found.dtype} of shape {found.shape}; {wanted}")
    if not np.isfinite(found).all():
        which = ", ".join(np.asarray(names)[~np.isfinite(found)])
        raise _unfit(robot, f"{method} is not finite at tick 0, before any action ({which}); correct the plant's reset")
    return found


def _unfit(robot: Robot, what: str) -> InputError:
    return InputError(f"{what}.", where=_place(robot))


def _place(robot: Robot) -> Location:
    """The robot's file; its name, where it was not loaded from one."""
    for name, module in tuple(sys.modules.items()):
        if name.startswith(PRIVATE) and getattr(module, "ROBOT", None) is robot and module.__file__:
            return Location(display(Path(module.__file__)))
    return Location(f"robot '{robot.name}'")
