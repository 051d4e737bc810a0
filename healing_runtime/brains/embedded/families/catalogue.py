"""The families there are, simple ones first. A new one is a module and a line here."""

from __future__ import annotations

from healing_runtime.brains.embedded.families import multirotor, vertical
from healing_runtime.brains.embedded.families.family import Brief, Draft, Family

FAMILIES: tuple[Family, ...] = (vertical.P, vertical.PD, vertical.PID, multirotor.CASCADE)

__all__ = ["FAMILIES", "Brief", "Draft", "Family"]
