"""Programs as a JSON header and some bytes, for pipes and files; every hash is computed again on the way in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from healing_runtime.compile.export import ExportedController
from healing_runtime.compile.interface import ControllerInterface, ProgramInterface
from healing_runtime.compile.programs import ProgramBlob, blob
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.codec import plain, read
from healing_runtime.core.errors import WorkerFailed


def exported_message(exported: ExportedController) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """A header and blobs for a pipe; `read_exported` is the inverse."""
    header = {"interface": plain(exported.interface)}
    arrays = (exported.params.tobytes(), exported.state.floats.tobytes(), exported.state.ints.tobytes())
    return header, (exported.control, exported.contract, *arrays)


def read_exported(header: Any, blobs: Sequence[bytes]) -> ExportedController:
    """The inverse of `exported_message`."""
    interface = read(ControllerInterface, header["interface"])
    dtype = np.dtype(interface.dtype)
    control, contract, params, floats, ints = blobs
    state = Vectors(np.frombuffer(floats, dtype), np.frombuffer(ints, np.int32))
    return ExportedController(control, contract, interface, np.frombuffer(params, dtype), state)


def blob_message(program: ProgramBlob) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """A header and blobs for a pipe or a file; `read_blob` is the inverse."""
    header = {"interface": plain(program.interface), "sha256": program.sha256}
    arrays = (program.params.tobytes(), program.carry.floats.tobytes(), program.carry.ints.tobytes())
    return header, (program.executable, *arrays)


def read_blob(header: Any, blobs: Sequence[bytes]) -> ProgramBlob:
    """The inverse of `blob_message`; the hash is computed again and must agree.

    Raises:
        WorkerFailed: the bytes do not have the hash they claim.
    """
    interface = read(ProgramInterface, header["interface"])
    dtype = np.dtype(interface.controller.dtype)
    executable, params, floats, ints = blobs
    carry = Vectors(np.frombuffer(floats, dtype), np.frombuffer(ints, np.int32))
    program = blob(executable, interface, np.frombuffer(params, dtype), carry)
    if program.sha256 != header["sha256"]:
        raise WorkerFailed("program hash differs", f"{program.sha256} instead of {header['sha256']}")
    return program
