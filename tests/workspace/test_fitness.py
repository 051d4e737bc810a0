"""A robot of one's own whose plant is not what `core.plant.Plant` asks for: one line at its file, never a traceback."""

from __future__ import annotations

import numpy as np
import pytest

from healing_runtime import workspace
from healing_runtime.app.check import check
from healing_runtime.cli.main import execute
from healing_runtime.core.errors import InputError
from healing_runtime.core.records import Scenario
from healing_runtime.workspace.fitness import METHODS
from tests.workspace.conftest import write

DOT = """\
import numpy as np
from pydantic import BaseModel, ConfigDict
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import Perturbation
from healing_runtime.core.signals import Layout, Signal, SignalTable

TABLE = SignalTable(
    observed=Layout((Signal("position", "m"),)),
    action=Layout((Signal("velocity", "m/s", low=-1.0, high=1.0),)),
    true=Layout((Signal("position", "m"), Signal("clock", "s"))),
)

class Section(BaseModel):
    model_config = ConfigDict(extra="forbid")

class Dot:
    signals = TABLE
    def reset(self, scenario, seed): self.x, self.u, self.t = 1.0, 0.0, 0.0
    def observe(self): return np.array([self.x])
    def truth(self): return np.array([self.x, self.t])
    def sample(self): return np.concatenate([self.observe(), self.truth()])
    def apply(self, action): self.u = float(action[0])
    def step(self): self.x, self.t = self.x + 0.1 * self.u, self.t + 0.1
    def begin(self, fault): pass
    def snapshot(self): return self.x, self.u, self.t
    def restore(self, snapshot): self.x, self.u, self.t = snapshot
    def release(self, snapshot): pass
    def state_hash(self): return f"{self.x} {self.t}"
    def close(self): pass

ROBOT = Robot("dot", "a dot", TABLE, Section, Section, Section, {}, Perturbation(), Dot)
"""
CONTROLLER = '''\
"""Go back to nought."""
PARAMS = {"gain_per_s": 0.5}


def init(params):
    """Nothing is kept."""
    return {}


def control(obs, state, params):
    """Velocity against the position."""
    return {"velocity_mps": -params["gain_per_s"] * obs["position_m"]}, {}
'''
FILES = {
    "controllers/dot/go.py": CONTROLLER,
    "assertions/dot/near.yaml": "robot: dot\nassertions:\n  - {id: near, formula: always (position < 2 m)}\n",
    "scenarios/dot/go.yaml": (
        "robot: dot\ncontroller: dot/go\nassertions: [dot/near]\n"
        "duration: 1 s\nrates: {control_hz: 10, physics_hz: 10}\n"
    ),
}
GO = Scenario("dot/go", "dot", "dot/go", (), None, 10, 10, 10, 1, {}, {})
ADD = "def sample(self): return np.concatenate([self.observe(), self.truth()])"


def without(method):
    return f"    def {method}(", f"    def not_{method}("


UNFIT = {
    "before there was sample": (without("sample"), f"the plant Dot has no method 'sample'; add '{ADD}'."),
    "no snapshot": (without("snapshot"), "no method 'snapshot'; add it (core/plant.py: 'All state, in this process"),
    "no state_hash": (without("state_hash"), "no method 'state_hash'"),
    "no close": (without("close"), "no method 'close'"),
    "a method that is none": (("    def begin(self, fault): pass", "    begin = 3"), "no method 'begin'"),
    "no plant": (("Perturbation(), Dot)", "Perturbation(), lambda: None)"), "make gives None"),
    "a make that fails": (("Perturbation(), Dot)", "Perturbation(), lambda: 1 / 0)"), "in its make"),
    "a make that takes something": (("Perturbation(), Dot)", "Perturbation(), Dot.reset)"), "in its make: TypeError"),
    "other signals": (("    signals = TABLE\n", "    signals = None\n"), "has other 'signals' than ROBOT"),
    "too little sensed": (("return np.array([self.x])", "return np.zeros(0)"), "observe gives float64 of shape (0,)"),
    "too much true": (("[self.x, self.t])\n", "[self.x, 0.0, 0.0])\n"), "truth gives float64 of shape (3,); give a"),
    "a sample of the truth alone": (("np.concatenate([self.observe(), self.truth()])", "self.truth()"), "vector of 3"),
    "a list": (("return np.array([self.x])", "return [self.x]"), "observe gives a list; give a float64 vector of 1"),
    "nothing": (("return np.array([self.x])", "return None"), "observe gives a NoneType"),
    "single precision": (("[self.x, self.t])\n", "[self.x, self.t], np.float32)\n"), "truth gives float32"),
    "the wrong way round": (("[self.observe(), self.truth()]", "[self.truth(), self.observe()]"), "(position_m"),
    "another sign of zero": (("[self.observe(), self.truth()]", "[self.observe(), -self.truth()]"), "not what observe"),
    "not a number": (("self.t = 1.0, 0.0, 0.0", "self.t = np.nan, 0.0, 0.0"), "observe is not finite at tick 0"),
    "endless": (("self.t = 1.0, 0.0, 0.0", "self.t = 1.0, 0.0, np.inf"), "before any action (clock_s); correct the"),
    "a sample that raises": (("return np.concatenate(", "return np.concatenat("), "in its sample (sim/robots/dot.py:"),
    "a reset that raises": (("self.t = 1.0, 0.0, 0.0", "self.t = 1.0, 0.0"), "in its reset (sim/robots/dot.py:"),
    "a hash that is none": (('return f"{self.x} {self.t}"', "return 7"), "state_hash gives a int; give the sha256"),
}


def robot_with(root, change, monkeypatch):
    old, new = change
    assert DOT.count(old) == 1, old
    write(root, {"sim/robots/dot.py": DOT.replace(old, new), **FILES})
    monkeypatch.chdir(root)
    return workspace.load_robot("dot", root / "sim")


@pytest.mark.parametrize("what", UNFIT)
def test_a_plant_that_is_none_is_told_at_its_file_in_one_line(what, tmp_path, monkeypatch):
    change, said = UNFIT[what]
    robot = robot_with(tmp_path, change, monkeypatch)
    with pytest.raises(InputError) as error:
        workspace.set_up(robot, GO)
    told = str(error.value)
    assert told.startswith("sim/robots/dot.py: ") and said in told and "\n" not in told, told


def test_the_protocol_has_these_methods():
    listed = "reset observe truth sample apply step begin snapshot restore release state_hash close"
    assert sorted(METHODS) == sorted(listed.split())


def test_a_plant_that_is_one_stands_at_tick_0(tmp_path, monkeypatch):
    plant = workspace.set_up(robot_with(tmp_path, ("a dot", "a dot"), monkeypatch), GO)
    np.testing.assert_array_equal(plant.sample(), [1.0, 1.0, 0.0])


def test_an_exception_of_ours_stays_ours(tmp_path, monkeypatch):
    robot = robot_with(tmp_path, ("a dot", "a dot"), monkeypatch)
    with pytest.raises(ZeroDivisionError), workspace.own_mistakes(robot):
        print(1 / 0)
    refused = InputError("gravity_mps2 is too large; lower it.")
    with pytest.raises(InputError) as error, workspace.own_mistakes(robot, "reset"):
        raise refused
    assert error.value is refused, "what a plant itself says of a scenario is said already"


def test_check_finds_a_plant_that_cannot_fly(tmp_path, monkeypatch):
    robot_with(tmp_path, without("sample"), monkeypatch)
    write(tmp_path, {"controllers/dot/go.py": "left unfinished ("})  # so that there is nothing to trace
    found = {remark.path: remark.message for remark in check(["dot/go"]).remarks if remark.severity == "error"}
    assert f"add '{ADD}'" in found["sim/robots/dot.py"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("self.t + 0.1\n", "self.t + 0.1 / (self.t < 0.4)\n"),
            "the plant failed in flight (sim/robots/dot.py:23, in step)",
        ),
        (("self.t = 1.0, 0.0, 0.0", "self.t = np.nan, 0.0, 0.0"), "observe is not finite at tick 0"),
    ],
)
def test_a_run_tells_a_plants_mistake_as_the_plants(change, said, tmp_path, monkeypatch, capsys):
    robot_with(tmp_path, change, monkeypatch)
    assert execute(["run", "dot/go", "--brain", "none"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("heal: sim/robots/dot.py: ") and said in lines[-1]
    assert not any(word in line for line in lines for word in ("Traceback", "bug in heal", "controller"))
