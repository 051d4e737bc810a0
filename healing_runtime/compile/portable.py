"""Programs as StableHLO: lowered for a kind of device that need not be here, compiled wherever there is one.

An executable belongs to one machine and one version of XLA. A portable program is what it is compiled from: the whole
tick, with what the host must know to start and to read it.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import export as jax_export

from healing_runtime.compile import kernels, programs, wire
from healing_runtime.compile import tick as ticks
from healing_runtime.compile.devices import checked, device_of
from healing_runtime.compile.export import export_controller, flatten, no_locations
from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.compile.programs import Program
from healing_runtime.compile.recheck import rechecked
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.codec import plain
from healing_runtime.core.codec import read as read_record
from healing_runtime.core.errors import FileFormatError, SubsetError, WorkerFailed
from healing_runtime.language.passes.cost import Cost, estimate
from healing_runtime.language.trace import Traced

_KIND = "portable program, 2"
_SUM_BYTES = 32


@dataclasses.dataclass(frozen=True)
class Portable:
    """A tick as StableHLO for one kind of device; `carry` holds a row a lane where it is a batch.

    `exported` is what the re-check made of `stablehlo`: there is no `Portable` that has not passed it.
    """

    stablehlo: bytes
    exported: jax_export.Exported = dataclasses.field(repr=False, compare=False)
    platform: str
    interface: ProgramInterface
    params: np.ndarray
    carry: Vectors
    bounds: Cost


def export_tick(
    traced: Traced, requirements: Sequence[Any], control_hz: int, platform: str = "cpu", original: Traced | None = None
) -> Portable:
    """Compose a traced controller with bound requirements and lower the tick for a kind of device.

    Control and contract are exported first, as for every program, and pass the re-check; so must the tick.

    Raises:
        SubsetError: the re-check refuses something.
        InputError: there is no such kind of device.
    """
    exported = export_controller(traced, original, control_hz, checked(platform))
    control, contract = (rechecked(part, platform) for part in (exported.control, exported.contract))
    step = ticks.Step(control.call, contract.call)
    composed = ticks.compose(step, exported.interface, requirements, traced.table, control_hz)
    carry = programs.first_carry(exported.state, composed)
    # What an exported call holds cannot be counted, so the bounds are those of the same tick before its export.
    open_step, *_ = flatten(traced, original, control_hz)
    counted = ticks.compose(open_step, exported.interface, requirements, traced.table, control_hz).function
    return lowered(composed.function, counted, composed.interface, exported.params, carry, platform)


def lowered(
    function: Callable[..., Any],
    counted: Callable[..., Any],
    interface: ProgramInterface,
    params: np.ndarray,
    carry: Vectors,
    platform: str,
) -> Portable:
    """Lower a tick function for a platform and re-check it.

    Args:
        function: the tick.
        counted: the same tick without exported calls, for its bounds.
        interface: what is needed to read it.
        params: its parameters.
        carry: its carry at the start; the leading axes are those of the observed and true vectors, too.
        platform: kind of device.
    """
    memory, sample = carry.joined(), _sample_of(interface, carry)
    arguments = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in (params, memory, sample)]
    with no_locations():
        donating = jax.jit(function, donate_argnums=(1,))
        stablehlo = bytes(jax_export.export(donating, platforms=[platform])(*arguments).serialize())
    bounds = estimate(jax.make_jaxpr(counted)(*arguments))
    return Portable(stablehlo, rechecked(stablehlo, platform), platform, interface, params, carry, bounds)


def compiled(program: Portable) -> Program:
    """Compile for the first device of the program's kind, and warm up.

    Raises:
        InputError: there is no such device here, or XLA does not compile the program for it.
    """
    sample = _sample_of(program.interface, program.carry)
    arguments = program.params, program.carry.joined(), np.zeros(sample.shape, sample.dtype)
    device, one_kernel = device_of(program.platform), kernels.emitted_whole(program.exported)
    try:
        with jax.default_device(device):
            executable = kernels.compiled(program.exported.call, *arguments, one_kernel=one_kernel)
    except jax.errors.JaxRuntimeError as error:
        why = " ".join(str(error).split())[:200]
        raise SubsetError(f"this program does not compile: {type(error).__name__}: {why}.") from error
    identity = programs.identity(program.stablehlo, program.interface, program.params, program.carry)
    export, params = functools.partial(written, program), jax.device_put(program.params, device)
    return programs.warmed(
        Program(executable, program.interface, params, program.carry, identity, export, program.bounds)
    )


def _sample_of(interface: ProgramInterface, carry: Vectors) -> jax.ShapeDtypeStruct:
    """What a sample is like, for as many lanes as the carry has."""
    return jax.ShapeDtypeStruct((*carry.floats.shape[:-1], sum(interface.inputs)), interface.controller.dtype)


# ---------------------------------------------------------------- as a file
def written(program: Portable) -> bytes:
    """As one file; `read` is the inverse."""
    header = {
        "kind": _KIND,
        "platform": program.platform,
        "interface": plain(program.interface),
        "bounds": program.bounds._asdict(),
        "carry": [list(part.shape) for part in program.carry],
    }
    arrays = (program.params.tobytes(), program.carry.floats.tobytes(), program.carry.ints.tobytes())
    data = wire.packed(header, (program.stablehlo, *arrays))
    return data + hashlib.sha256(data).digest()


def read(data: bytes) -> Portable:
    """The inverse of `written`. Nothing is unpickled, and damaged bytes are found before anything is parsed.

    Bytes made with ill intent get past the sum at their end and meet the re-check; before it they meet MLIR's parser,
    which is not made for them: read such in a process that may die.

    Raises:
        FileFormatError: it is no portable program of this version.
        SubsetError: its StableHLO is not what the language lowers to, or does not fit what is said of it.
    """
    data, found = data[:-_SUM_BYTES], data[-_SUM_BYTES:]
    try:
        if hashlib.sha256(data).digest() != found:
            raise ValueError("it is damaged, or not whole")
        header, (stablehlo, params, floats, ints) = wire.unpacked(data)
        if header["kind"] != _KIND:
            raise ValueError(f"it is a {str(header['kind'])[:40]}")
        interface = read_record(ProgramInterface, header["interface"])
        dtype = np.dtype(interface.controller.dtype)
        shapes = [tuple(map(int, shape)) for shape in header["carry"]]
        carry = Vectors(
            np.frombuffer(floats, dtype).reshape(shapes[0]), np.frombuffer(ints, np.int32).reshape(shapes[1])
        )
        carry.joined()  # a ValueError where the two do not have the same lanes
        bounds = read_record(Cost, header["bounds"])
        platform = checked(header["platform"])
        params = np.frombuffer(params, dtype)
    except (KeyError, TypeError, ValueError, IndexError, WorkerFailed) as error:
        why = " ".join(str(error).split())[:200]
        raise FileFormatError(f"this is no portable program of this version ({why}); export it again.") from None
    program = Portable(stablehlo, rechecked(stablehlo, platform), platform, interface, params, carry, bounds)
    _must_fit(program)
    return program


def _must_fit(program: Portable) -> None:
    """The StableHLO takes and gives what the interface says."""
    exported = program.exported
    memory, sample = program.carry.joined(), _sample_of(program.interface, program.carry)
    takes = [(part.shape, part.dtype) for part in (program.params, memory, sample)]
    gives = [takes[1], ((*sample.shape[:-1], program.interface.packed_size), sample.dtype)]
    trees = jax.tree.structure(((0, 0, 0), {})), jax.tree.structure((0, 0))
    found = [[(aval.shape, aval.dtype) for aval in avals] for avals in (exported.in_avals, exported.out_avals)]
    if found != [takes, gives] or (exported.in_tree, exported.out_tree) != trees:
        raise SubsetError("this portable program does not take and give what is said of it; export it again.")
