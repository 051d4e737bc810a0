"""A runtime that notices a broken promise of a robot's controller, has a better one written, proves it and swaps it in.

The public names load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from healing_runtime import stl, tensorlang
    from healing_runtime.app.flights import load_scenario
    from healing_runtime.supervisor.approval import Approve, Reject
    from healing_runtime.supervisor.resume import resume
    from healing_runtime.supervisor.runtime import RunResult, Runtime

__all__ = [
    "Approve",
    "Reject",
    "RunResult",
    "Runtime",
    "__version__",
    "load_scenario",
    "resume",
    "stl",
    "tensorlang",
]

__version__ = "0.1.0"

_HOME = {
    "Runtime": "healing_runtime.supervisor.runtime",
    "RunResult": "healing_runtime.supervisor.runtime",
    "Approve": "healing_runtime.supervisor.approval",
    "Reject": "healing_runtime.supervisor.approval",
    "resume": "healing_runtime.supervisor.resume",
    "load_scenario": "healing_runtime.app.flights",
}
_MODULES = {"stl", "tensorlang"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
