"""The façade: what people import as `from healing_runtime import tensorlang as tl`.

Inside a TensorLang source `tl` is a smaller, read-only namespace of the same names (`language/namespace.py`); here
are also the tools that load, check and compile such sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from healing_runtime.compile import export, programs
from healing_runtime.core.plant import Robot
from healing_runtime.language import controller as controllers
from healing_runtime.language import linalg, passes, source, trace
from healing_runtime.language.controller import Controller
from healing_runtime.language.findings import Finding
from healing_runtime.language.functions import copy, implies, while_loop
from healing_runtime.language.harvest import harvest
from healing_runtime.language.primitive import assert_, reset


def load(path: str | Path) -> Controller:
    """A controller file as functions.

    Loading runs the source's own code when its functions are called: do it with sources you trust, as with any Python
    file.

    Raises:
        InputError: the file is not there or is not TensorLang; with file, line and what to write instead.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        from healing_runtime.core.errors import InputError

        raise InputError(f"cannot read the controller '{file}': {error}.") from None
    return controllers.load(source.parse(text, name=file.stem, path=str(file)))


def verify(
    controller: Controller, robot: Robot, *, control_hz: int = 48, dtype: str = "float32"
) -> tuple[Finding, ...]:
    """Trace a controller for a robot and run the verification passes. SubsetError where it does not trace."""
    return passes.run(trace.trace(controller, robot.signals, 1.0 / control_hz, np.dtype(dtype)))


def compile(
    controller: Controller, robot: Robot, monitors: Sequence[Any] = (), *, control_hz: int = 48, dtype: str = "float32"
) -> programs.Program:
    """One executable of a controller and the monitors of bound requirements (`stl.bind`), for this process's device."""
    traced = trace.trace(controller, robot.signals, 1.0 / control_hz, np.dtype(dtype))
    exported = export.export_controller(traced, None, robot.signals, control_hz)
    return programs.load(programs.build(exported, monitors, robot.signals, control_hz))


__all__ = [
    "assert_",
    "compile",
    "copy",
    "harvest",
    "implies",
    "linalg",
    "load",
    "reset",
    "verify",
    "while_loop",
]
