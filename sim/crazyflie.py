"""A Crazyflie 2.x in figures.

Sources: mass, inertia, arm, thrust and torque coefficients, ground effect and rotor drag from gym-pybullet-drones'
`cf2x.urdf` (ground effect: Shi et al. 2019, drag: Forster 2015).
"""

from __future__ import annotations

import math

from healing_runtime.core.plant import Constant

from .world import STANDARD_GRAVITY_MPS2

_CF2X = "gym-pybullet-drones, cf2x.urdf"
MASS_KG = 0.027
INERTIA_KGM2 = (1.4e-5, 1.4e-5, 2.17e-5)
HALF_EXTENTS_M = (0.04, 0.04, 0.0125)
ROTOR_ARM_M = 0.028
"""Distance of every rotor's axis from the body's x axis and from its y axis."""
THRUST_TO_WEIGHT = 2.25
_RPM2_PER_RADPS2 = (60.0 / (2.0 * math.pi)) ** 2
THRUST_NS2 = 3.16e-10 * _RPM2_PER_RADPS2
"""Thrust of a rotor over its squared speed, N s²/rad²."""
TORQUE_TO_THRUST_M = 7.94e-12 / 3.16e-10
HOVER_RADPS = math.sqrt(MASS_KG * STANDARD_GRAVITY_MPS2 / (4.0 * THRUST_NS2))
MAX_RADPS = math.sqrt(THRUST_TO_WEIGHT) * HOVER_RADPS
ROTOR_LAG_S = 0.03
DRAG_XY = 9.1785e-7
DRAG_Z = 10.311e-7
"""Rotor drag over the sum of rotor speeds and air speed, N s²/(m rad)."""
FAST_RADPS2 = 100.0
"""Squared rate, rad²/s², from which the gyroscopic step of Bullet is made exact; below, it is left as it is."""
DRAG_MORE_Z = DRAG_Z - DRAG_XY
PROPELLER_RADIUS_M = 0.0231348
GROUND_EFFECT = 11.36859
GROUND_EFFECT_REACH_M = 0.6
"""Where the body's centre is farther than this from the pad, along its normal, the nominal ground effect adds about
0.1 % of thrust or less: none is computed. The effect falls with the square of the distance, so another strength of it
reaches as far as the root of `ground_effect` says.
"""
GROUND_EFFECT_FLOOR_M = 0.25 * PROPELLER_RADIUS_M * math.sqrt(15.0 * GROUND_EFFECT / 4.0)
"""Rotor height below which the effect no longer grows (as gym-pybullet-drones clips it)."""

CONSTANTS = (
    Constant("mass", MASS_KG, "kg", _CF2X),
    Constant("moments of inertia", INERTIA_KGM2, "kg m²", _CF2X),
    Constant("half extents of the box", HALF_EXTENTS_M, "m", "chosen: arms and propellers, without legs"),
    Constant("rotor axes from x and from y", ROTOR_ARM_M, "m", _CF2X),
    Constant("rotor directions", (-1.0, 1.0, -1.0, 1.0), "", "sign of the torque on the body about its up"),
    Constant("thrust over squared rotor speed", THRUST_NS2, "N s²", _CF2X),
    Constant("torque over thrust", TORQUE_TO_THRUST_M, "m", _CF2X),
    Constant("thrust to weight", THRUST_TO_WEIGHT, "", _CF2X),
    Constant("rotor lag", ROTOR_LAG_S, "s", "chosen: time constant of the motors"),
    Constant("rotor drag across, along the axis", (DRAG_XY, DRAG_Z), "N s²/m", "Forster 2015"),
    Constant("propeller radius", PROPELLER_RADIUS_M, "m", _CF2X),
    Constant("ground effect", GROUND_EFFECT, "", "Shi et al. 2019"),
)
