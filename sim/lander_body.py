"""What both landers are: a body with a tank, one main engine, and a pad on a moon.

The figures are NeuroJIT's lander as a body: 1,000 kg with fuel, 300 kg of it, thrust up to 5,000 N at a specific
impulse of 300 s. Robots and twins read them here.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from healing_runtime.core.plant import Constant

from . import body_plant
from .body_plant import BodyPlant
from .free_body import Pad, lowest_above
from .world import STANDARD_GRAVITY_MPS2

MASS_WITH_FUEL_KG = 1000.0
FUEL_KG = 300.0
DRY_MASS_KG = MASS_WITH_FUEL_KG - FUEL_KG
INERTIA_KGM2 = (1500.0, 1500.0, 1500.0)
HALF_EXTENTS_M = (1.5, 1.5, 1.0)
MAX_THRUST_N = 5000.0
SPECIFIC_IMPULSE_S = 300.0
FUEL_PER_NS = 1.0 / (SPECIFIC_IMPULSE_S * STANDARD_GRAVITY_MPS2)
"""Fuel burned per newton and second, kg."""
MOON_GRAVITY_MPS2 = 1.62

_SOURCE = "NeuroJIT's moon lander, as a body"
CONSTANTS = (
    Constant("mass with fuel", MASS_WITH_FUEL_KG, "kg", _SOURCE),
    Constant("fuel", FUEL_KG, "kg", _SOURCE),
    Constant("moment of inertia", INERTIA_KGM2, "kg m²", "given; it stays as fuel burns"),
    Constant("half extents of the box", HALF_EXTENTS_M, "m", "chosen"),
    Constant("specific impulse", SPECIFIC_IMPULSE_S, "s", _SOURCE),
)


class Environment(BaseModel):
    """Where it lands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gravity_mps2: float = Field(default=MOON_GRAVITY_MPS2, gt=0.0, le=30.0)
    pad: Pad = Pad()


class Condition(body_plant.Condition):
    """What may be wrong with the robot; faults act on it."""

    __slots__ = ("force_ceiling", "payload_kg")
    least_payload_kg: ClassVar[float] = -0.5 * DRY_MASS_KG

    def __init__(self) -> None:
        super().__init__()
        self.force_ceiling = 1.0
        self.payload_kg = 0.0


class LanderBody(BodyPlant, abc.ABC):
    """A plant with a tank and one engine. Abstract; `_fly` burns the fuel, and weighs once a call."""

    condition = Condition

    def _stand_ready(self, environment: Environment, fuel_kg: float) -> Pad:
        """State for t = 0 that both landers have; returns the pad."""
        self._normal = environment.pad.normal
        self._gravity_mps2 = environment.gravity_mps2
        self._fuel_kg = fuel_kg
        self._payload_kg = 0.0
        return environment.pad

    def _suffer(self, condition: Any) -> None:
        self._ceiling_n = MAX_THRUST_N * condition.force_ceiling
        self._payload_kg = condition.payload_kg
        self._weigh()

    def _weigh(self) -> None:
        self._mass_kg = DRY_MASS_KG + self._fuel_kg + self._payload_kg
        self._body.set_mass(self._mass_kg)

    def _upright(self) -> float:
        """The body's up along the pad's normal: the cosine of the angle between them."""
        (nx, _, nz), (_, (qx, qy, qz, qw), _, _) = self._normal, self._pose
        return nx * 2.0 * (qx * qz + qw * qy) + nz * (1.0 - 2.0 * (qx * qx + qy * qy))

    def _altitude_m(self) -> float:
        position, q, _, _ = self._pose
        return lowest_above(self._normal, position, q, HALF_EXTENTS_M)
