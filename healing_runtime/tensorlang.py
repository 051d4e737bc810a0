"""The façade: what people import as `from healing_runtime import tensorlang as tl`.

Inside a TensorLang source `tl` is a smaller, read-only namespace of the same names; here are also the tools that load,
check and compile such sources.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from healing_runtime.compile import batch, portable, programs
from healing_runtime.compile.devices import device_of
from healing_runtime.compile.programs import Program
from healing_runtime.core.errors import InputError
from healing_runtime.core.plant import Plant, Robot
from healing_runtime.language import controller as controllers
from healing_runtime.language import linalg, ownership, passes, source, trace
from healing_runtime.language.controller import Controller
from healing_runtime.language.execution.functions import copy, implies, while_loop
from healing_runtime.language.findings import Finding
from healing_runtime.language.harvest import first_violation, harvest
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
        raise InputError(f"cannot read the controller '{file}': {error}.") from None
    return controllers.load(source.parse(text, name=file.stem, path=str(file)))


def verify(
    controller: Controller, plant: Robot | Plant, *, control_hz: int = 48, dtype: str = "float32"
) -> tuple[Finding, ...]:
    """Trace a controller for whose signals it senses and commands, and run the verification passes.

    Beside their findings stands a warning for every assert that is no contract, and so protects nothing.

    Raises:
        InputError: the rate or the dtype is none of a tick. SubsetError where the controller does not trace.
    """
    with _number_format(dtype):
        traced = trace.trace(controller, plant.signals, _period_s(control_hz), np.dtype(dtype))
        return (*ownership.remarks(controller.parsed), *passes.run(traced))


def compile(
    controller: Controller,
    plant: Robot | Plant,
    monitors: Sequence[Any] = (),
    device: str = "cpu",
    *,
    control_hz: int = 48,
    dtype: str = "float32",
    lanes: int | None = None,
) -> Program:
    """One executable of a controller and the monitors of bound requirements (`stl.bind`), ready to tick.

    Args:
        controller: what `load` gave.
        plant: whose signals it senses and commands.
        monitors: what judges it, beside its own contract asserts.
        device: `cpu`, `cuda` or `tpu`. On the first call of a process, JAX's CPU backend is told to run programs in the
            thread that calls them; it then does so for all of the process, other JAX programs included. A backend that
            has started before does not hear it.
        control_hz: ticks a second, a whole number.
        dtype: `float32` or `float64`; the latter turns JAX's 64-bit mode on for the process, which has one dtype.
        lanes: for a batch, how many; the tick then takes (lanes, …) vectors.

    Raises:
        InputError: there is no such device here (the message names those that are), or the rate, the dtype or the
            number of lanes is none of a tick. SubsetError where the controller does not trace or the re-check refuses
            it.
    """
    device_of(device)
    with _number_format(dtype, stays=True):
        traced = trace.trace(controller, plant.signals, _period_s(control_hz), np.dtype(dtype))
        if lanes is None:
            program = portable.export_tick(traced, monitors, control_hz, device)
        else:
            program = batch.export_lanes(traced, monitors, control_hz, lanes, device)
        return portable.compiled(program)


def load_program(data: bytes) -> Program:
    """A program from the bytes of `Program.export()`, re-checked and compiled for this machine.

    What the bytes hold is refused unless the language has it. Take a stranger's only in a process that may die: before
    the re-check they meet MLIR's parser, which is not made for ill intent.

    Raises:
        InputError: the bytes are no portable program, or hold what the language does not have, or their device is not
            here.
    """
    program = portable.read(data)
    with _number_format(program.interface.controller.dtype, stays=True):
        return portable.compiled(program)


def _period_s(control_hz: int) -> float:
    """Seconds from tick to tick; InputError unless the rate is a whole number of ticks a second."""
    if isinstance(control_hz, bool) or not isinstance(control_hz, int) or control_hz < 1:
        raise InputError(f"control_hz is {control_hz!r}; give a whole number of ticks a second, 1 or more.")
    return 1.0 / control_hz


@contextlib.contextmanager
def _number_format(dtype: str, *, stays: bool = False) -> Iterator[None]:
    """Trace and compile in one dtype.

    A float64 program can only be called where JAX knows float64, so for one that is to be called that `stays` on.
    """
    if dtype not in ("float32", "float64"):
        raise InputError(f"{dtype!r} is no dtype of a tick; give 'float32' or 'float64'.")
    if stays and dtype == "float64":
        programs.use_dtype(dtype)
    with jax.enable_x64(dtype == "float64"):
        yield


__all__ = [
    "assert_",
    "compile",
    "copy",
    "first_violation",
    "harvest",
    "implies",
    "linalg",
    "load",
    "load_program",
    "reset",
    "verify",
    "while_loop",
]
