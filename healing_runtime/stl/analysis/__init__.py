"""What can be known of assertions before anything flies: contradictions, what never trips, what is never exercised.

Pure functions over bound requirements. Whatever is said is a theorem about every run, in exact arithmetic; what is not
said may still be so (see `search`).
"""

from __future__ import annotations

from collections.abc import Sequence

from healing_runtime.core.signals import SignalTable
from healing_runtime.stl.analysis.alone import alone
from healing_runtime.stl.analysis.duration import too_short
from healing_runtime.stl.analysis.finding import Finding
from healing_runtime.stl.analysis.names import NameFinding, idle_scales, names, rests_on, wrong_names
from healing_runtime.stl.analysis.search import Search
from healing_runtime.stl.analysis.together import together
from healing_runtime.stl.bind import Requirement

__all__ = ["Finding", "NameFinding", "examine", "idle_scales", "names", "rests_on", "too_short", "wrong_names"]


def examine(requirements: Sequence[Requirement], table: SignalTable) -> list[Finding]:
    """Everything that can be said of requirements that judge the same flight, each alone and all together."""
    search = Search({signal.name: (signal.low, signal.high) for signal in table.true})
    found = [finding for requirement in requirements for finding in alone(requirement, table, search)]
    return found + together(requirements, search)
