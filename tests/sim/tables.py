"""The tables of `tests/sim/catalogue`, all of them in one: every module there is found by itself.

A module holds `FAILING` (scenario -> what trips, and when (s) where that is calibrated), `WITNESS` (scenario -> a
controller and the PARAMS in which the witness differs from it), `SOUND` (scenarios that their own controller survives)
and, where there are any, `IMPOSSIBLE` (scenarios labelled `no`).
"""

from __future__ import annotations

import importlib
from pathlib import Path

FOLDER = Path(__file__).parent / "catalogue"
MODULES = tuple(
    importlib.import_module(f"tests.sim.catalogue.{path.stem}")
    for path in sorted(FOLDER.glob("*.py"))
    if path.stem != "__init__"
)
FAILING: dict[str, tuple[str, float | None]] = {k: v for module in MODULES for k, v in module.FAILING.items()}
WITNESS: dict[str, tuple[str, dict[str, float]]] = {k: v for module in MODULES for k, v in module.WITNESS.items()}
SOUND: tuple[str, ...] = tuple(name for module in MODULES for name in module.SOUND)
IMPOSSIBLE: tuple[str, ...] = tuple(name for module in MODULES for name in getattr(module, "IMPOSSIBLE", ()))


def label(name: str) -> str:
    """What the tables say of a failing scenario."""
    return "yes" if name in WITNESS else "no" if name in IMPOSSIBLE else "unknown"


def of(names, *robots: str) -> list[str]:
    """Those of these robots."""
    return [name for name in names if name.partition("/")[0] in robots]
