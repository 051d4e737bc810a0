"""Contact, touchdown speed and the land detector, kept at the physics rate.

A hard touchdown is invisible in samples at the control rate: they go from fast without contact to rest with contact.
The land detector is made as PX4's: contact, slow, low thrust, all of it for a while.
"""

from __future__ import annotations

QUIET_SPEED_MPS = 0.1
QUIET_RATE_RADPS = 0.35
QUIET_THRUST_TO_WEIGHT = 0.3
QUIET_TIME_S = 0.5


class Touchdown:
    """What has happened between body and pad.

    Attributes:
        pressed: contact in the latest physics step.
        contact: any contact in the latest control period.
        speed_mps: downward speed before the physics step of the latest first contact (the fastest one, where a period
            holds several); 0 before any.
        landed: contact, slow and low thrust for `QUIET_TIME_S`.
    """

    __slots__ = ("_first_in_period", "_quiet_ticks", "_ticks_needed", "contact", "landed", "pressed", "speed_mps")

    def __init__(self, control_hz: int) -> None:
        self._ticks_needed = max(1, round(QUIET_TIME_S * control_hz))
        self._quiet_ticks = 0
        self._first_in_period = True
        self.pressed = False
        self.contact = False
        self.speed_mps = 0.0
        self.landed = False

    def begin_period(self) -> None:
        """A control period starts."""
        self.contact = False
        self._first_in_period = True

    def step(self, pressed: bool, downward_speed_mps: float) -> None:
        """A physics step has passed; the speed is the one before it."""
        if pressed:
            self.contact = True
            if not self.pressed:
                speed = max(downward_speed_mps, 0.0)
                self.speed_mps = speed if self._first_in_period else max(self.speed_mps, speed)
                self._first_in_period = False
        self.pressed = pressed

    def end_period(self, speed_mps: float, rate_radps: float, thrust_to_weight: float) -> None:
        """A control period ends with these true values."""
        quiet = (
            self.contact
            and speed_mps < QUIET_SPEED_MPS
            and rate_radps < QUIET_RATE_RADPS
            and thrust_to_weight < QUIET_THRUST_TO_WEIGHT
        )
        self._quiet_ticks = self._quiet_ticks + 1 if quiet else 0
        self.landed = self._quiet_ticks >= self._ticks_needed

    def save(self) -> tuple[float, ...]:
        """Everything, as numbers."""
        return (self.pressed, self.contact, self.speed_mps, self.landed, self._quiet_ticks, self._first_in_period)

    def restore(self, saved: tuple[float, ...]) -> None:
        """Return to what `save` gave."""
        pressed, contact, self.speed_mps, landed, quiet_ticks, first = saved
        self.pressed, self.contact, self.landed = bool(pressed), bool(contact), bool(landed)
        self._quiet_ticks, self._first_in_period = int(quiet_ticks), bool(first)
