"""Executables: compiled in a builder, loaded in the loop.

A builder composes the tick around an exported controller, compiles it ahead of time and returns a `ProgramBlob`; the
loop loads only a blob whose hash it was told. An executable's bytes differ from one compilation to the next.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import serialize_executable

from healing_runtime.compile import devices, kernels, promises
from healing_runtime.compile import tick as ticks
from healing_runtime.compile.export import ExportedController
from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.compile.memory import Memory, memory_of
from healing_runtime.compile.recheck import rechecked
from healing_runtime.compile.vectors import Vectors, parted
from healing_runtime.core.errors import InputError, SubsetError
from healing_runtime.core.signals import SignalTable
from healing_runtime.language.passes.cost import Cost


@dataclasses.dataclass(frozen=True)
class ProgramBlob:
    """An executable as bytes. `sha256` covers the executable, the interface and the starting values."""

    executable: bytes
    interface: ProgramInterface
    params: np.ndarray
    carry: Vectors
    sha256: str


@dataclasses.dataclass(frozen=True)
class Program:
    """A loaded executable.

    `tick(params, memory, sample) -> (memory, packed)`, as `tick.py` says; the memory given in is donated. `start()` is
    a fresh carry, `start().joined()` a fresh memory, and `carried` reads one. `params` lie where the executable reads
    them: a tick that copies them takes a microsecond more. A program that was compiled from a portable one can write
    that, and has its bounds; one that was loaded has neither.
    """

    tick: jax.stages.Compiled
    interface: ProgramInterface
    params: jax.Array | np.ndarray
    carry: Vectors
    sha256: str
    portable: Callable[[], bytes] | None = dataclasses.field(default=None, repr=False)
    bounds: Cost | None = None

    def start(self) -> Vectors:
        """The carry at trace begin: the controller's `init` and fresh monitors."""
        return Vectors(self.carry.floats.copy(), self.carry.ints.copy())

    @functools.cached_property
    def call(self) -> Callable[..., tuple[Any, Any]]:
        """`tick` for a loop: what `jax.stages.Compiled` calls once it was called, where this version of JAX has that.

        The Python around it takes a microsecond of a tick.
        """
        return getattr(self.tick, "_call", None) or self.tick

    def carried(self, memory: Any) -> Vectors:
        """The carry that a memory holds; a copy, for a tick would have to copy what somebody still looks at."""
        return Vectors(*(part.copy() for part in parted(memory, self.carry)))

    def export(self) -> bytes:
        """The portable program, for `portable.read` on any machine with such a device."""
        if self.portable is None:
            raise InputError("this program was loaded as an executable, which runs here only; export the compiled one.")
        return self.portable()

    def memory(self) -> Memory:
        """What XLA reserves for one call, and what goes from tick to tick."""
        return memory_of(self.tick, self.carry)

    def cost(self) -> Cost:
        """Our own trip-weighted bounds on one tick: controller, contract asserts and monitors."""
        if self.bounds is None:
            raise InputError("this program was loaded as an executable, which has no bounds; ask the compiled one.")
        return self.bounds


# ---------------------------------------------------------------- builder
def build(
    exported: ExportedController,
    requirements: Sequence[Any],
    table: SignalTable,
    control_hz: int,
    *,
    triggers: Sequence[Any] = (),
    one_kernel: bool = False,
) -> ProgramBlob:
    """Compose the tick, compile it ahead of time, run it once on zeros, and serialise the executable.

    With `one_kernel` a quadrotor's tick compiles in 0.4 s instead of 1.0 s and runs a little faster (CPU time, jaxlib
    0.10.2). It leans on an attribute that is XLA's own, so ask for it only in a process that may die. Where XLA answers
    that it cannot, the usual way is taken.

    Raises:
        SubsetError: the re-check refuses the exported controller, whatever the trace said, or XLA does not compile it.
    """
    devices.run_in_calling_thread()
    try:
        return _built(exported, requirements, table, control_hz, triggers, one_kernel)
    except jax.errors.JaxRuntimeError as error:
        why = " ".join(str(error).splitlines()[:1])[:200]
        raise SubsetError(f"this program does not compile: {why}; make it smaller, or write it otherwise.") from error


def _built(
    exported: ExportedController,
    requirements: Sequence[Any],
    table: SignalTable,
    control_hz: int,
    triggers: Sequence[Any],
    one_kernel: bool,
) -> ProgramBlob:
    control, added = (rechecked(b) for b in (exported.control, exported.contract))
    promised = added if exported.promises is None else rechecked(exported.promises.program)
    contract = promises.contract(exported.promises, promised.call, added.call, exported.interface.state)
    step = ticks.Step(control.call, contract)
    composed = ticks.compose(step, exported.interface, requirements, table, control_hz, triggers)
    carry = first_carry(exported.state, composed)
    dtype = np.dtype(exported.interface.dtype)
    sample = np.zeros(table.observed.size + table.true.size, dtype)
    arguments = exported.params, carry.joined(), sample
    compiled = kernels.compiled(composed.function, *arguments, one_kernel=one_kernel)
    executable, _, _ = serialize_executable.serialize(compiled)
    compiled(exported.params, carry.joined(), sample)
    return blob(executable, composed.interface, exported.params, carry)


def first_carry(state: Vectors, composed: ticks.Tick) -> Vectors:
    """The controller's memory at trace begin, then the monitors'."""
    return Vectors(*(np.concatenate(parts) for parts in zip(state, composed.monitor_start, strict=True)))


def blob(executable: bytes, interface: ProgramInterface, params: np.ndarray, carry: Vectors) -> ProgramBlob:
    """A program blob with its identity computed."""
    return ProgramBlob(executable, interface, params, carry, identity(executable, interface, params, carry))


def identity(code: bytes, interface: ProgramInterface, params: np.ndarray, carry: Vectors) -> str:
    """The hash that names a program: of its code, whatever that is in, its interface and its starting values."""
    hasher = hashlib.sha256(code)
    for part in (interface.bytes(), params.tobytes(), carry.floats.tobytes(), carry.ints.tobytes()):
        hasher.update(hashlib.sha256(part).digest())
    return "sha256:" + hasher.hexdigest()


# ---------------------------------------------------------------- loop
def use_dtype(dtype: str) -> None:
    """Let JAX know float64 where a scenario asks for it; one dtype a process."""
    jax.config.update("jax_enable_x64", dtype == "float64")


def load(program: ProgramBlob) -> Program:
    """Load an executable for this process's device and warm it up; nothing is traced or compiled."""
    devices.run_in_calling_thread()
    arguments, results = jax.tree.structure(((0, 0, 0), {})), jax.tree.structure((0, 0))
    compiled = serialize_executable.deserialize_and_load(program.executable, arguments, results)
    params = jax.device_put(program.params)
    return warmed(Program(compiled, program.interface, params, program.carry, program.sha256))


def warmed(program: Program) -> Program:
    """A program that has run twice on zeros."""
    lanes, dtype = program.carry.floats.shape[:-1], np.dtype(program.interface.controller.dtype)
    sample = np.zeros((*lanes, sum(program.interface.inputs)), dtype)
    for _ in range(2):
        np.asarray(program.tick(program.params, program.start().joined(), sample)[1])
    return program
