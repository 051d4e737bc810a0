"""Recorded runs of the catalogue, executed again: fresh process, other folder, other worlds beside, after a restore.

A few scenarios by default, each robot once and one that ends in contact; all of them with `-m slow`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from healing_runtime import workspace
from healing_runtime.core.codec import read
from healing_runtime.core.records import Scenario
from healing_runtime.supervisor.flown import Flight
from healing_runtime.supervisor.runtime import Runtime
from healing_runtime.telemetry.mcap import read_log

ROOT = Path(__file__).resolve().parents[2]
IN_CONTACT = "quadrotor/landing"


def names(home, which):
    """Scenario names in order; of the few, the first of each robot, the one that ends in contact for its own."""
    found = home.scenario_names()
    if which == "all":
        return found
    first = {name.partition("/")[0]: name for name in reversed(found)}
    first[IN_CONTACT.partition("/")[0]] = IN_CONTACT
    return tuple(sorted(first.values()))


@pytest.fixture(scope="module", params=["few", pytest.param("all", marks=pytest.mark.slow)])
def runs(request, tmp_path_factory):
    """A run of each scenario, without a brain."""
    home, out = workspace.open(ROOT), tmp_path_factory.mktemp(request.param)
    return {
        name: Runtime(name, brain="none", workspace=home, out=out).run().folder for name in names(home, request.param)
    }


class Recipe:
    """What was flown: the scenario, the applied actions, the true rows, one more than actions."""

    def __init__(self, folder):
        self.scenario = read(Scenario, json.loads((folder / "manifest.json").read_text())["scenario"])
        self.robot = workspace.open(ROOT).robot(self.scenario.robot)
        rows = Flight.of(read_log(folder / "log.mcap").messages).rows
        self.truth = [self._packed(row, "/sim/state", self.robot.signals.true) for _, row in sorted(rows.items())]
        self.actions = [
            self._packed(row, "/control/cmd_applied", self.robot.signals.action)
            for _, row in sorted(rows.items())
            if "/control/cmd_applied" in row.topics
        ]

    @staticmethod
    def _packed(row, topic, layout):
        values = row.topics[topic]["values"]
        return layout.pack({key: np.array(value, dtype=np.float64) for key, value in values.items()})

    def plant(self):
        plant = self.robot.make()
        plant.reset(self.scenario, self.scenario.seed)
        return plant


REPLAY = """
import json, sys
from healing_runtime import workspace
from healing_runtime.supervisor.replay import replay
home = workspace.open(sys.argv[1])
for folder in sys.stdin.read().split():
    result = replay(folder, verify=True, home=home)
    print(json.dumps([result.exit_code, result.document["compared"], result.document["divergence"]]), flush=True)
"""


@pytest.mark.timeout(3600)
def test_a_fresh_process_in_another_folder_replays_bit_for_bit(runs, tmp_path):
    folders = "\n".join(str(folder) for folder in runs.values())
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", REPLAY, str(ROOT)],
        input=folders, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = dict(zip(runs, (json.loads(line) for line in done.stdout.splitlines()), strict=True))
    assert {name: said for name, said in found.items() if said != [0, "bits", None]} == {}


@pytest.mark.timeout(3600)
def test_worlds_side_by_side_in_one_process_keep_to_their_records(runs):
    recipes = {name: Recipe(folder) for name, folder in runs.items()}
    plants = {name: recipe.plant() for name, recipe in recipes.items()}
    try:
        for tick in range(max(len(recipe.truth) for recipe in recipes.values())):
            for name, recipe in recipes.items():
                if tick < len(recipe.truth):
                    assert plants[name].truth().tobytes() == recipe.truth[tick].tobytes(), f"{name}: tick {tick}"
                if tick < len(recipe.actions):
                    plants[name].apply(recipe.actions[tick])
                    plants[name].step()
    finally:
        for plant in plants.values():
            plant.close()


@pytest.mark.timeout(3600)
def test_a_keyframe_in_the_middle_of_contact_gives_the_recorded_rows(runs):
    """Runs that ended before contact fly on with their last command, until something touches or the time is over."""
    touched = {}
    for name, folder in runs.items():
        recipe = Recipe(folder)
        touched[name] = restored_in_contact(recipe, name)
    assert touched[IN_CONTACT], "this one ends on its pad"
    assert sum(touched.values()) > len(touched) // 3, touched


def restored_in_contact(recipe, name):
    """Whether there was contact; fails where a restored flight differs from the straight one."""
    scenario, layout = recipe.scenario, recipe.robot.signals.true
    last = recipe.actions[-1] if recipe.actions else recipe.robot.signals.action.low.clip(min=0.0)
    actions = [*recipe.actions, *[last] * (scenario.duration_ticks - len(recipe.actions))]
    plant = recipe.plant()
    try:
        rows, frames = [plant.truth()], {}
        for tick, action in enumerate(actions):
            contact = rows[-1][layout.slices["contact"]][0] if "contact" in layout else 0.0
            if contact and len(frames) < 3 and tick not in frames and all(tick - at > 5 for at in frames):
                frames[tick] = plant.snapshot(), plant.state_hash()
            plant.apply(action)
            plant.step()
            rows.append(plant.truth())
        for tick, row in enumerate(recipe.truth):
            assert rows[tick].tobytes() == row.tobytes(), f"{name}: tick {tick}"
        for tick in reversed(frames):
            frame, state_hash = frames[tick]
            plant.restore(frame)
            assert plant.state_hash() == state_hash, f"{name}: the keyframe at tick {tick}"
            for k in range(tick, min(tick + 100, len(actions))):
                plant.apply(actions[k])
                plant.step()
                assert plant.truth().tobytes() == rows[k + 1].tobytes(), f"{name}: keyframe {tick}, tick {k + 1}"
        return bool(frames)
    finally:
        plant.close()
