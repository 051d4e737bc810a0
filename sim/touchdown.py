"""Contact, touchdown speed and the land detector, kept at the physics rate.

A hard touchdown is invisible in samples at the control rate: they go from fast without contact to rest with contact.
The land detector is made as PX4's: contact, slow, low thrust, all of it for a while; and upright on the pad, for what
lies on its side or its roof has not landed.
"""

from __future__ import annotations

import math

PUSHED_MPS = 1e-6
"""Contact is what the pad does to the body: more velocity along its normal in a step than own forces explain."""
QUIET_SPEED_MPS = 0.1
QUIET_RATE_RADPS = 0.35
QUIET_THRUST_TO_WEIGHT = 0.3
QUIET_UPRIGHT = math.cos(math.radians(45.0))
"""Least cosine of the angle between the body's up and the pad's normal: 45 degrees."""
QUIET_TIME_S = 0.5
SAME_TOUCHDOWN_S = 0.5
"""A body rocks and slides before it rests: contacts closer together than this belong to one touchdown."""


class Touchdown:
    """What has happened between body and pad.

    Attributes:
        pressed: contact in the latest physics step.
        contact: any contact in the latest control period.
        speed_mps: speed into the pad, along its normal, before the physics step of the latest first contact, the
            fastest one where a touchdown has several; 0 before any.
        sideways_mps, tilt_rad: sideways speed and tilt before the same contacts, the largest ones, where a robot says.
        landed: contact, slow, low thrust and upright for `QUIET_TIME_S`.
    """

    __slots__ = (
        "_pressed_step", "_quiet_ticks", "_steps_apart", "_ticks_quiet", "contact", "landed", "pressed", "sideways_mps",
        "speed_mps", "tilt_rad",
    )  # fmt: skip

    def __init__(self, control_hz: int, physics_hz: int) -> None:
        self._ticks_quiet = max(1, round(QUIET_TIME_S * control_hz))
        self._steps_apart = max(1, round(SAME_TOUCHDOWN_S * physics_hz))
        self._quiet_ticks = 0
        self._pressed_step = -(2**52)
        self.pressed = False
        self.contact = False
        self.speed_mps = self.sideways_mps = self.tilt_rad = 0.0
        self.landed = False

    def begin_period(self) -> None:
        """A control period starts."""
        self.contact = False

    def step(
        self, step: int, pressed: bool, inward_mps: float, sideways_mps: float = 0.0, tilt_rad: float = 0.0
    ) -> None:
        """Physics step number `step` has passed; speeds and tilt are those before it.

        Steps without contact may be left out, but for the first after one with contact; steps with contact, but for the
        first, where `stayed` is told the last of them in every control period.
        """
        if pressed:
            self.contact = True
            if not self.pressed:
                if step - self._pressed_step > self._steps_apart:
                    self.speed_mps = self.sideways_mps = self.tilt_rad = 0.0
                self.speed_mps = max(inward_mps, self.speed_mps)
                self.sideways_mps = max(sideways_mps, self.sideways_mps)
                self.tilt_rad = max(tilt_rad, self.tilt_rad)
            self._pressed_step = step
        self.pressed = pressed

    def stayed(self, step: int) -> None:
        """What was pressed already has been so up to physics step number `step`."""
        self.contact = True
        self._pressed_step = step

    def end_period(self, speed_mps: float, rate_radps: float, thrust_to_weight: float, upright: float) -> None:
        """A control period ends with these true values; `upright` is the body's up along the pad's normal."""
        quiet = (
            self.contact
            and speed_mps < QUIET_SPEED_MPS
            and rate_radps < QUIET_RATE_RADPS
            and thrust_to_weight < QUIET_THRUST_TO_WEIGHT
            and upright > QUIET_UPRIGHT
        )
        self._quiet_ticks = self._quiet_ticks + 1 if quiet else 0
        self.landed = self._quiet_ticks >= self._ticks_quiet

    def save(self) -> tuple[float, ...]:
        """Everything, as numbers."""
        latched = (self.speed_mps, self.sideways_mps, self.tilt_rad)
        return (self.pressed, self.contact, *latched, self.landed, self._quiet_ticks, self._pressed_step)

    def restore(self, saved: tuple[float, ...]) -> None:
        """Return to what `save` gave."""
        pressed, contact, self.speed_mps, self.sideways_mps, self.tilt_rad, landed, quiet_ticks, pressed_step = saved
        self.pressed, self.contact, self.landed = bool(pressed), bool(contact), bool(landed)
        self._quiet_ticks, self._pressed_step = int(quiet_ticks), int(pressed_step)
