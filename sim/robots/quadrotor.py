"""A Crazyflie 2.x: four rotors with lag, rotor drag, ground effect, a land detector for judging."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pybullet as bullet
from pydantic import BaseModel, ConfigDict, Field

from healing_runtime.core.plant import Plant, Robot
from healing_runtime.core.records import Distribution, Perturbation, Scenario
from healing_runtime.core.signals import Layout, Signal, SignalTable

from ..body_plant import Start
from ..crazyflie import CONSTANTS, HALF_EXTENTS_M, INERTIA_KGM2, MASS_KG, MAX_RADPS
from ..faults import faults_for
from ..free_body import Body, Pad, Pose
from ..limits import Aside, Height, Rate
from ..rotor_body import Condition, RotorBody
from ..sensing import age_signals
from ..world import STANDARD_GRAVITY_MPS2

if TYPE_CHECKING:
    from healing_runtime.core.plant import Twin


# ---------------------------------------------------------------- files
class Initial(BaseModel):
    """State at t = 0; the rotors turn at hover speed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    position_m: tuple[Aside, Aside, Height] = (0.0, 0.0, 1.5)
    velocity_mps: tuple[Rate, Rate, Rate] = (0.0, 0.0, 0.0)
    attitude_rpy_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    angular_velocity_radps: tuple[Rate, Rate, Rate] = (0.0, 0.0, 0.0)


class Environment(BaseModel):
    """Where it flies. `ground_effect` scales the nominal one; 0 is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gravity_mps2: float = Field(default=STANDARD_GRAVITY_MPS2, gt=0.0, le=30.0)
    pad: Pad = Pad()
    ground_effect: float = Field(default=1.0, ge=0.0, le=3.0)


class Reference(BaseModel):
    """What the controller is asked to hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    position_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    velocity_mps: tuple[float, float, float] = (0.0, 0.0, 0.0)


# ---------------------------------------------------------------- signals
_XYZ = ("x", "y", "z")
_OBSERVED = (
    Signal("position", "m", (3,), _XYZ, scale=1.0, description="centre of mass, world frame"),
    Signal("velocity", "m/s", (3,), _XYZ, scale=1.0, description="of the centre of mass, world frame"),
    Signal("q_xyzw_world_body", "", (4,), ("x", "y", "z", "w"), description="attitude: rotates body to world"),
    Signal("angular_velocity", "rad/s", (3,), _XYZ, scale=5.0, description="body frame, as a gyro has it"),
    Signal("altitude", "m", scale=1.0, description="lowest point of the body above the pad"),
    Signal("reference_position", "m", (3,), _XYZ, scale=1.0, description="where to go, world frame"),
    Signal("reference_velocity", "m/s", (3,), _XYZ, scale=1.0, description="how fast, world frame"),
)
_OBSERVED_LAYOUT = Layout(_OBSERVED)
SIGNALS = SignalTable(
    observed=_OBSERVED_LAYOUT,
    action=Layout(
        (
            Signal(
                "rotor_speed",
                "rad/s",
                (4,),
                low=0.0,
                high=MAX_RADPS,
                scale=MAX_RADPS,
                description="commanded; rotors front right, rear right, rear left, front left",
            ),
        )
    ),
    true=Layout(
        (
            *_OBSERVED,
            Signal("speed", "m/s", scale=1.0, description="magnitude of the velocity"),
            Signal("descent_rate", "m/s", scale=1.0, description="downward velocity"),
            Signal("tilt", "rad", scale=1.0, description="angle between the body's and the world's up"),
            Signal("yaw", "rad", scale=math.pi, description="heading, -pi ... pi"),
            Signal("contact", description="1 where the body touched the pad in the last control period"),
            Signal(
                "touchdown_speed",
                "m/s",
                scale=1.0,
                description="speed into the pad before contact, fastest of a touchdown",
            ),
            Signal("landed", description="1 while in contact, slow, upright, and the rotors nearly off for 0.5 s"),
            Signal("rotor_speed", "rad/s", (4,), scale=MAX_RADPS, description="true speeds of the rotors"),
            *age_signals(_OBSERVED_LAYOUT),
        )
    ),
)


# ---------------------------------------------------------------- the plant
FAULTS = faults_for(Condition, _OBSERVED_LAYOUT)


class QuadrotorPlant(RotorBody):
    """The quadrotor in PyBullet. Final."""

    signals = SIGNALS
    name = "quadrotor"
    fault_kinds = FAULTS

    def _begin(self, scenario: Scenario) -> Start:
        initial = Initial.model_validate(dict(scenario.initial))
        environment = Environment.model_validate(dict(scenario.environment))
        reference = Reference.model_validate(dict(scenario.reference))
        wanted = (*reference.position_m, *reference.velocity_mps)
        self._stand_ready(environment.gravity_mps2, environment.ground_effect, environment.pad.normal, wanted)
        q = bullet.getQuaternionFromEuler([math.radians(a) for a in initial.attitude_rpy_deg])
        spin = bullet.rotateVector(q, initial.angular_velocity_radps)
        pose = Pose(initial.position_m, q, initial.velocity_mps, spin)
        return Start(environment.gravity_mps2, environment.pad, Body(MASS_KG, INERTIA_KGM2, HALF_EXTENTS_M), pose)


def _make_twin(scenario: Scenario) -> Twin:
    from ..twins.quadrotor import make

    return make(scenario)


def _make() -> Plant:
    return QuadrotorPlant()


ROBOT = Robot(
    name="quadrotor",
    description="Crazyflie 2.x: four rotors with lag, rotor drag and ground effect over a pad",
    signals=SIGNALS,
    initial=Initial,
    environment=Environment,
    reference=Reference,
    faults=FAULTS,
    perturb=Perturbation(
        initial={"position_m": Distribution("normal", scale=0.02), "velocity_mps": Distribution("normal", scale=0.02)},
        faults={"value": Distribution("uniform", low=-0.03, high=0.03)},
    ),
    make=_make,
    make_twin=_make_twin,
    constants=CONSTANTS,
)
