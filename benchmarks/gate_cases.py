"""Incidents of the catalogue as the gate meets them, and patches for them: weakened, rewritten, known to mend."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flying import course, program
from ruamel.yaml import YAML

from healing_runtime import workspace
from healing_runtime.compile.programs import Program
from healing_runtime.core import perturb
from healing_runtime.core.records import Incident, Scenario, Snapshot
from healing_runtime.core.status import Severity, Status
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate
from healing_runtime.gate.records import Context, Course, Resume
from healing_runtime.gate.trials import resume_ticks
from healing_runtime.loop.recorder import Recorder
from healing_runtime.loop.rollout import FlightPlan, advance, evaluate, fly
from healing_runtime.loop.slot import Slot
from healing_runtime.sandbox.zygote import Sandbox

ROOT = workspace.catalogue_root()
REPAIRS: Mapping[str, tuple[str, str]] = {
    "cartpole/balance": ("cartpole/balance_weak_gains", "cartpole/balance"),
    "lander/soft_landing": ("lander/landing_velocity_sign", "lander/landing"),
    "quadrotor/landing_pid": ("quadrotor/landing_wrong_sign", "quadrotor/landing"),
    "quadrotor/landing_wrong_sign": ("quadrotor/landing_wrong_sign", "quadrotor/landing"),
    "lander/neuro_pilot": ("lander/neuro_lander", "lander/landing"),
}
"""Controller -> the scenario whose incident a variant of it is to mend, and one that the sound controller flies."""
WEAKENED = ("cartpole/balance", "lander/soft_landing", "quadrotor/landing_pid")
HOLD = (4, 6, 9, 14, 19)
"""A patch is weakened until one of so many neighbours fails: so does about one in so many of all that there are."""


class Case(NamedTuple):
    """An incident with all that the gate wants to know of it."""

    context: Context
    incident: Incident
    resumes: tuple[Resume, ...]


class Patch(NamedTuple):
    """A source that is to mend the incident of a scenario."""

    name: str
    scenario: str
    text: str


def incident_of(scenario: str, sandbox: Sandbox) -> Case:
    """Fly a scenario's controller into its incident, and find the regressions that it passes."""
    flown = course(scenario)
    supervised = program(flown, flown.files)
    plant = flown.robot.make()
    plant.reset(flown.scenario, flown.scenario.seed)
    recorder = Recorder(flown.scenario, plant.signals)
    last = flown.scenario.duration_ticks
    stop = advance(plant, Slot(supervised), recorder, supervised.start(), 0, last, keyframes=False)
    interface, row = supervised.interface, recorder.packed[stop.tick]
    verdicts = interface.verdicts(row, ended=not stop.tripped)
    broken = interface.violated(row) if stop.tripped else [v for v in verdicts if verdicts[v].status != Status.TRUE]
    snapshot = Snapshot(
        stop.tick,
        plant.state_hash(),
        recorder.action[: stop.tick].copy(),
        tuple(evaluate(supervised, recorder, supervised.start(), 0, stop.tick)),
        tuple(sorted(recorder.onsets.items())),
    )
    plant.close()
    incident = Incident(
        f"0001-{broken[0].replace('/', '-')}",
        broken[0],
        "",
        "",
        Severity.CRITICAL,
        Status.FALSE,
        stop.tick,
        math.nan,
        snapshot,
    )

    def resume(tick: int) -> Resume:
        if tick == 0:
            return Resume(0)
        return Resume(tick, evaluate(supervised, recorder, supervised.start(), 0, tick), interface)

    home = workspace.open(ROOT)
    original = home.controller(flown.scenario.controller)
    sim_root = str(home.sim_root(flown.scenario.robot))
    context = Context(Course(flown.scenario, flown.files), original, flown.robot.signals, sim_root)
    qualified = Gate(sandbox, context, KeptPrograms.none()).qualify(_others(home, flown.scenario))
    resumes = tuple(resume(tick) for tick in resume_ticks(flown.scenario, stop.tick))
    return Case(dataclasses.replace(context, regressions=qualified), incident, resumes)


def _others(home: Any, scenario: Scenario) -> Iterator[Course]:
    for name in home.scenario_names(scenario.robot):
        if name != scenario.name:
            other = home.scenario(name).scenario
            yield Course(other, tuple(home.assertion_file(a) for a in other.assertions))


# ---------------------------------------------------------------- patches
def with_params(text: str, values: Mapping[str, float]) -> str:
    """A source with other numbers in its PARAMS."""
    for name, value in values.items():
        text, found = re.subn(rf'("{name}": )[-+.\de]+', rf"\g<1>{value!r}", text, count=1)
        if not found:
            raise ValueError(f"there is no parameter '{name}' in the source.")
    return text


def sound_variants() -> list[tuple[str, str, str]]:
    """What a good engineer may write, from the tests: name, the controller it is a variant of, source."""
    home = workspace.open(ROOT)
    out = []
    for variant in YAML(typ="safe").load((ROOT / "tests/adversarial/variants.yaml").read_text()):
        text = home.controller(variant["of"]).text
        for old, new in variant["replace"]:
            text = text.replace(old, new)
        out.append((variant["id"], variant["of"], text))
    return out


def variants() -> list[Patch]:
    """The same, each as the patch of an incident."""
    return [Patch(name, REPAIRS[of][0], text) for name, of, text in sound_variants()]


def witnesses() -> list[Patch]:
    """What the tests show to mend the healable scenarios of the catalogue."""
    out = []
    for path in sorted((ROOT / "tests/sim/catalogue").glob("[a-z]*.py")):
        for scenario, (controller, changed) in getattr(_loaded(path), "WITNESS", {}).items():
            text = with_params((ROOT / controller).read_text(), changed)
            out.append(Patch(f"witness of {scenario}", scenario, text))
    return out


def _loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"catalogue_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Weakening:
    """A sound controller whose PARAMS are all moved in a drawn direction, as far as some neighbours bear it."""

    def __init__(self, controller: str) -> None:
        self.scenario, sound = REPAIRS[controller]
        home = workspace.open(ROOT)
        self._text, self._neighbourhood = home.controller(controller).text, home.scenario(self.scenario).scenario
        flown = course(sound)
        self._program, self._plant = program(flown, flown.files), flown.robot.make()
        self._names = [leaf.path for leaf in self._program.interface.controller.params]

    def draw(self, rng: np.random.Generator) -> Patch:
        """A patch that some drawn neighbours bear and, moved a little further, do not."""
        hold = int(rng.choice(HOLD))
        neighbours = [perturb.draw(self._neighbourhood, rng) for _ in range(hold)]
        way = rng.normal(size=len(self._names))
        good, bad = 0.0, 0.02
        while bad < 4.0 and self._all_kept(way, bad, neighbours):
            good, bad = bad, 2.0 * bad
        for _ in range(7):
            middle = 0.5 * (good + bad)
            good, bad = (middle, bad) if self._all_kept(way, middle, neighbours) else (good, middle)
        values = dict(zip(self._names, self._moved(way, good).tolist(), strict=True))
        return Patch(f"weakened until one of {hold} fails", self.scenario, with_params(self._text, values))

    def _moved(self, way: np.ndarray, far: float) -> np.ndarray:
        return np.asarray(self._program.params, np.float64) * np.exp(far * way)

    def _all_kept(self, way: np.ndarray, far: float, neighbours: Sequence[Scenario]) -> bool:
        params = self._moved(way, far).astype(np.asarray(self._program.params).dtype)
        moved: Program = dataclasses.replace(self._program, params=params)
        return all(fly(self._plant, moved, FlightPlan(n, n.seed)).kept for n in neighbours)

    def close(self) -> None:
        """Let go of the plant."""
        self._plant.close()
