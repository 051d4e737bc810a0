"""A pole on a cart on a rail: the cart is pushed along, the pole stands up or falls over.

Sizes are those of Barto, Sutton and Anderson (1983), as Gymnasium's CartPole has them: 1 kg of cart, 0.1 kg and 1 m of
pole, a rail of 2.4 m to either side, 10 N. There is no friction. The rail ends in rubber buffers: springs with damping,
computed here and not by Bullet, so that the twin has the same ones.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import pybullet as bullet
from pydantic import BaseModel, ConfigDict, Field

from healing_runtime.core.errors import InputError
from healing_runtime.core.plant import Constant, Plant, Robot
from healing_runtime.core.records import Distribution, Perturbation, Scenario
from healing_runtime.core.signals import Layout, Signal, SignalTable

from .. import jointed
from ..commands import Command
from ..faults import faults_for
from ..jointed import Joint, JointedBody, Link
from ..plant import SimulatedPlant
from ..sensing import age_signals
from ..world import STANDARD_GRAVITY_MPS2

if TYPE_CHECKING:
    from healing_runtime.core.plant import Twin

_BARTO = "Barto, Sutton and Anderson 1983"
# ---------------------------------------------------------------- the bodies
CART_KG = 1.0
CART_HALF_EXTENTS_M = (0.2, 0.1, 0.1)
POLE_KG = 0.1
POLE_M = 1.0
HALF_POLE_M = 0.5 * POLE_M
POLE_HALF_WIDTH_M = 0.02
ROD = 1.0 / 3.0
"""Squared radius of gyration of a uniform rod about its middle, over its squared half length."""
MAX_FORCE_N = 10.0
FORCE_RATE_NPS = 400.0
RAIL_M = 2.4
"""How far the cart goes to either side before it touches a buffer."""
BUFFER_NPM = 5000.0
BUFFER_NSPM = 60.0


# ---------------------------------------------------------------- files
class Initial(BaseModel):
    """State at t = 0; the pole stands upright at 0 and hangs at 180 degrees."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cart_position_m: float = Field(default=0.0, ge=-RAIL_M, le=RAIL_M)
    cart_velocity_mps: float = Field(default=0.0, ge=-20.0, le=20.0)
    pole_angle_deg: float = Field(default=2.0, ge=-180.0, le=180.0)
    pole_rate_radps: float = Field(default=0.0, ge=-50.0, le=50.0)


class Environment(BaseModel):
    """Where it stands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gravity_mps2: float = Field(default=STANDARD_GRAVITY_MPS2, gt=0.0, le=30.0)


class Reference(BaseModel):
    """Where the cart is asked to stand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    position_m: float = Field(default=0.0, ge=-RAIL_M, le=RAIL_M)


# ---------------------------------------------------------------- signals
_OBSERVED = (
    Signal("cart_position", "m", scale=1.0, description="along the rail, 0 in its middle"),
    Signal("cart_velocity", "m/s", scale=1.0, description="along the rail"),
    Signal("pole_angle", "rad", scale=0.5, description="from upright, towards positive positions; turns are counted"),
    Signal("pole_rate", "rad/s", scale=2.0, description="rate of the angle"),
    Signal("reference_position", "m", scale=1.0, description="where the cart is asked to stand"),
)
_OBSERVED_LAYOUT = Layout(_OBSERVED)
SIGNALS = SignalTable(
    observed=_OBSERVED_LAYOUT,
    action=Layout(
        (
            Signal(
                "force",
                "N",
                low=-MAX_FORCE_N,
                high=MAX_FORCE_N,
                rate_per_s=FORCE_RATE_NPS,
                scale=MAX_FORCE_N,
                description="commanded, on the cart along the rail",
            ),
        )
    ),
    true=Layout(
        (
            *_OBSERVED,
            Signal("tip_height", "m", scale=POLE_M, description="of the pole's free end above its pivot"),
            Signal("motor_force", "N", scale=MAX_FORCE_N, description="on the cart in the latest physics step"),
            Signal("contact", description="1 where the cart touched a buffer in the last control period"),
            Signal("contact_speed", "m/s", scale=1.0, description="of the cart, fastest while touching; 0 before"),
            *age_signals(_OBSERVED_LAYOUT),
        )
    ),
)


# ---------------------------------------------------------------- physics
class Condition(jointed.Condition):
    """What may be wrong with the robot; faults act on it. Joint 0 is the cart on the rail, joint 1 the pole's pivot."""

    __slots__ = ("force_ceiling", "payload_kg", "pole_mass_kg", "push_n")
    joints = 2
    driven = (0,)
    least_payload_kg: ClassVar[float] = -0.5 * CART_KG

    def __init__(self) -> None:
        super().__init__()
        self.force_ceiling = 1.0
        self.payload_kg = 0.0
        self.pole_mass_kg = POLE_KG
        self.push_n = 0.0


FAULTS = faults_for(Condition, _OBSERVED_LAYOUT)


class CartpolePlant(SimulatedPlant):
    """The cart and its pole in PyBullet. Final."""

    signals = SIGNALS
    name = "cartpole"
    fault_kinds = FAULTS
    condition = Condition

    def __init__(self) -> None:
        super().__init__()
        self._body = JointedBody(self._world)

    def _build(self, scenario: Scenario) -> None:
        _refuse_long_steps(scenario)
        initial = Initial.model_validate(dict(scenario.initial))
        self._reference_m = Reference.model_validate(dict(scenario.reference)).position_m
        self._command_n = self._motor_n = 0.0
        self._contact, self._contact_mps = False, 0.0
        self._world.clear(scenario.physics_hz, Environment.model_validate(dict(scenario.environment)).gravity_mps2)
        pole_extents = (POLE_HALF_WIDTH_M, POLE_HALF_WIDTH_M, HALF_POLE_M)
        self._body.build(
            (
                Link(bullet.JOINT_PRISMATIC, (1.0, 0.0, 0.0), (0.0, 0.0, 0.0), CART_HALF_EXTENTS_M),
                Link(bullet.JOINT_REVOLUTE, (0.0, 1.0, 0.0), (0.0, 0.0, HALF_POLE_M), pole_extents),
            ),
            (
                Joint(initial.cart_position_m, initial.cart_velocity_mps),
                Joint(math.radians(initial.pole_angle_deg), initial.pole_rate_radps),
            ),
        )

    def _suffer(self, condition: Condition) -> None:
        self._ceiling_n = MAX_FORCE_N * condition.force_ceiling
        self._strength = condition.joint_torque[0]
        self._push_n = condition.push_n
        self._body.jam(condition.joint_jammed)
        cart_kg = CART_KG + condition.payload_kg
        pole_kgm2 = ROD * condition.pole_mass_kg * HALF_POLE_M**2
        # The cart does not turn; any inertia will do.
        self._body.set_mass(0, cart_kg, (1.0, 1.0, 1.0))
        self._body.set_mass(1, condition.pole_mass_kg, (pole_kgm2, pole_kgm2, pole_kgm2))

    def _obey(self, command: Command) -> None:
        (self._command_n,) = command

    def _begin_period(self) -> None:
        self._contact = False

    def _fly(self, end: int) -> None:
        """The push on the pole acts as a force and a moment on the joints, which is the same (virtual work)."""
        client, body = self._world.client, self._body.id
        joints, torque, push = self._body.joints, bullet.TORQUE_CONTROL, self._push_n
        motor = self._strength * min(max(self._command_n, -self._ceiling_n), self._ceiling_n)
        (x, v), (angle, rate) = self._state
        for _ in range(self._step, end):
            stop = buffer_n(x, v)
            if stop:
                self._contact, self._contact_mps = True, max(self._contact_mps, abs(v))
            forces = (motor + push + stop, push * HALF_POLE_M * math.cos(angle))
            bullet.setJointMotorControlArray(body, joints, torque, forces=forces, physicsClientId=client)
            bullet.stepSimulation(client)
            (x, v, _, _), (angle, rate, _, _) = bullet.getJointStates(body, joints, client)
        self._step = end
        self._state = Joint(x, v), Joint(angle, rate)
        self._motor_n = motor

    def _true_values(self) -> tuple[float, ...]:
        (x, v), (angle, rate) = self._state
        tip_m = POLE_M * math.cos(angle)
        return (x, v, angle, rate, self._reference_m, tip_m, self._motor_n, self._contact, self._contact_mps)

    def _read_world(self) -> tuple[float, ...]:
        self._state = cart, pole = self._body.state()
        return (*cart, *pole)

    def _kept(self) -> tuple[float, ...]:
        return (self._command_n, self._motor_n, self._contact, self._contact_mps)

    def _keep(self, values: tuple[float, ...]) -> None:
        self._command_n, self._motor_n, contact, self._contact_mps = values
        self._contact = bool(contact)


def buffer_n(x_m: float, v_mps: float) -> float:
    """Force of the buffers on the cart. Rubber pushes and never pulls."""
    if x_m > RAIL_M:
        return min(BUFFER_NPM * (RAIL_M - x_m) - BUFFER_NSPM * v_mps, 0.0)
    if x_m < -RAIL_M:
        return max(BUFFER_NPM * (-RAIL_M - x_m) - BUFFER_NSPM * v_mps, 0.0)
    return 0.0


def least_physics_hz(mass_kg: float) -> int:
    """The least rate at which the buffers give back no more speed than a cart of this mass brings.

    In one step of dt from a depth of up to v dt, v becomes v (1 - c dt / m - k dt² / m), which must not be below -v.
    """
    damped = BUFFER_NSPM
    dt_s = (math.sqrt(damped * damped + 8.0 * BUFFER_NPM * mass_kg) - damped) / (2.0 * BUFFER_NPM)
    return math.ceil(1.0 / dt_s)


def _refuse_long_steps(scenario: Scenario) -> None:
    """InputError where a step is so long that the buffers throw the cart back faster, up to infinity."""
    lost = min([0.0, *(f.parameters["mass_kg"] for f in scenario.faults if f.kind == "payload")])
    pole = min([POLE_KG, *(f.parameters["mass_kg"] for f in scenario.faults if f.kind == "pole_mass")])
    # What the cart has to push along: itself and, where the pole is upright or hangs, a quarter of it.
    lightest_kg = CART_KG + lost + 0.25 * pole
    least_hz = least_physics_hz(lightest_kg)
    if scenario.physics_hz < least_hz:
        raise InputError(
            f"rates.physics_hz: at {scenario.physics_hz} the cart's buffers would give back more speed than they take "
            f"from {lightest_kg:g} kg; write {least_hz} or more.",
            at=("rates", "physics_hz"),
        )


def _make_twin(scenario: Scenario) -> Twin:
    from ..twins.cartpole import make

    return make(scenario)


def _make() -> Plant:
    return CartpolePlant()


ROBOT = Robot(
    name="cartpole",
    description="A pole on a cart on a rail with buffers at its ends, pushed by one motor",
    signals=SIGNALS,
    initial=Initial,
    environment=Environment,
    reference=Reference,
    faults=FAULTS,
    perturb=Perturbation(
        initial={
            "cart_position_m": Distribution("normal", scale=0.05),
            "cart_velocity_mps": Distribution("normal", scale=0.02),
            "pole_angle_deg": Distribution("normal", scale=0.5),
            "pole_rate_radps": Distribution("normal", scale=0.02),
        },
        faults={"value": Distribution("uniform", low=-0.03, high=0.03)},
    ),
    make=_make,
    make_twin=_make_twin,
    constants=(
        Constant("mass of the cart", CART_KG, "kg", _BARTO),
        Constant("mass of the pole", POLE_KG, "kg", _BARTO),
        Constant("length of the pole", POLE_M, "m", _BARTO),
        Constant("inertia of the pole about its middle", ROD * POLE_KG * HALF_POLE_M**2, "kg m²", "a uniform rod"),
        Constant("rail to either side", RAIL_M, "m", _BARTO),
        Constant("stiffness of the buffers", BUFFER_NPM, "N/m", "chosen"),
        Constant("damping of the buffers", BUFFER_NSPM, "N s/m", "chosen"),
    ),
)
