"""A tiny workspace: one fake robot with a fault, one controller, one assertion file, one scenario."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from healing_runtime import workspace

ROBOT = '''
"""A cart that falls; nothing here flies."""
from __future__ import annotations
from typing import Annotated
from pydantic import BaseModel, ConfigDict, Field
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import Distribution, Perturbation
from healing_runtime.core.signals import Layout, Signal, SignalTable
from ..constants import MASS_KG

class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")

Height = Annotated[float, Field(ge=0.0)]

class Initial(Strict):
    position_m: tuple[float, float, Height] = (0.0, 0.0, 1.0)
    altitude_m: float = Field(default=10.0, ge=0.0)
    fuel_kg: float = Field(default=MASS_KG, gt=0.0)
    attitude_rpy_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)

class Pad(Strict):
    friction: float = Field(default=0.8, ge=0.0, le=1.0)

class Environment(Strict):
    gravity_mps2: float = Field(default=9.81, ge=0.0)
    pad: Pad = Pad()

class Reference(Strict):
    altitude_m: float = 0.0

class Fault:
    @classmethod
    def claims(cls, parameters):
        return frozenset()
    @classmethod
    def rounded(cls, parameters, control_hz, physics_hz):
        return {}
    @classmethod
    def lasting(cls, parameters, physics_hz):
        return {}

class Wind(Fault):
    kind = "wind"
    touches = "environment"
    class Parameters(Strict):
        speed_mps: float = Field(ge=0.0, le=20.0)
        axis: int = 0

class Lag(Fault):
    kind = "lag"
    holds = True
    touches = "actuation"
    class Parameters(Strict):
        delay_s: float = 0.0
    @classmethod
    def claims(cls, parameters):
        return frozenset({"the bus"})
    @classmethod
    def rounded(cls, parameters, control_hz, physics_hz):
        return {"delay_s": "3 physics steps, 0.075 s"} if parameters["delay_s"] == 0.08 else {}

altitude = Signal("altitude", "m")
ROBOT = Robot(
    name="cart", description="a test", signals=SignalTable(Layout((altitude,)), Layout(()), Layout((altitude,))),
    initial=Initial, environment=Environment, reference=Reference, faults={"wind": Wind, "lag": Lag},
    perturb=Perturbation({"altitude_m": Distribution("normal", 0.1)}, {}, {
        "speed_mps": Distribution("uniform", low=-1.0, high=1.0), "value": Distribution("normal", 0.1)}),
    make=lambda: None,
)
'''

ASSERTIONS = """\
robot: cart
constants:
  v_max: 0.5 m/s
definitions:
  near(h): altitude < h
assertions:
  - id: stays-low
    formula: always (altitude < 20 m)
    scale: {m: 0.5}
mission:
  - id: landed
    formula: eventually (near(1 cm))
"""

SCENARIO = """\
robot: cart
controller: cart/still
assertions: [cart/low]
mission: landed
duration: 2 s
rates: {control_hz: 10, physics_hz: 40}
seed: 7
initial: {position_m: [0.3, 0, 1.5]}
faults:
  - {kind: wind, speed_mps: 3, start: 1 s}
policy: {probation: 0.5 s}
"""


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(
        tmp_path,
        {
            "sim/robots/cart.py": ROBOT,
            "sim/constants.py": "MASS_KG = 2.5\n",
            "controllers/cart/still.py": '"""Do nothing."""\n',
            "assertions/cart/low.yaml": ASSERTIONS,
            "scenarios/cart/drop.yaml": SCENARIO,
        },
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ws(root: Path) -> workspace.Workspace:
    return workspace.open()
