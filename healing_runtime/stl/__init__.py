"""Signal temporal logic with units: parse, bind to a robot, judge online and offline, explain.

Source of the semantics: Fainekos and Pappas 2009, Donzé and Maler 2010; bounds of pending starts after Deshmukh et al.
2017 (robust satisfaction intervals).
"""

from __future__ import annotations

from healing_runtime.stl.bind import Requirement, bind, judging, parse
from healing_runtime.stl.conditions import condition
from healing_runtime.stl.cost import Cost, cost
from healing_runtime.stl.explain import explain
from healing_runtime.stl.formula import Formula
from healing_runtime.stl.monitor import Monitor, MonitorOut, MonitorState, online, online_all
from healing_runtime.stl.offline import robustness, verdicts
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.zero_delay import ZeroDelay, zero_delay

__all__ = [
    "OPERATORS",
    "Cost",
    "Formula",
    "Monitor",
    "MonitorOut",
    "MonitorState",
    "Requirement",
    "ZeroDelay",
    "bind",
    "condition",
    "cost",
    "explain",
    "judging",
    "online",
    "online_all",
    "parse",
    "robustness",
    "verdicts",
    "zero_delay",
]
