"""Signal temporal logic with units: parse, bind to a robot, judge online and offline, explain.

Source of the semantics: Fainekos and Pappas 2009, Donzé and Maler 2010; bounds of pending starts after Deshmukh et al.
2017 (robust satisfaction intervals).
"""

from __future__ import annotations

from healing_runtime.stl.bind import Requirement, bind, parse
from healing_runtime.stl.monitor import Monitor, MonitorOut, online, online_all

__all__ = ["Monitor", "MonitorOut", "Requirement", "bind", "online", "online_all", "parse"]
