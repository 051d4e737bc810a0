"""Programs as a JSON header and some bytes, for pipes and files; every hash is computed again on the way in."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from healing_runtime.compile.export import ExportedController
from healing_runtime.compile.interface import ControllerInterface, ProgramInterface
from healing_runtime.compile.programs import ProgramBlob, blob
from healing_runtime.compile.promises import Promises
from healing_runtime.compile.vectors import Leaf, Vectors
from healing_runtime.core.codec import canonical, plain, read
from healing_runtime.core.errors import WorkerFailed

_MAGIC = b"HRP1"
_PREFIX = struct.Struct("!4sQI")


def exported_message(exported: ExportedController) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """A header and blobs for a pipe; `read_exported_message` is the inverse."""
    header = {"interface": plain(exported.interface)}
    arrays = (exported.params.tobytes(), exported.state.floats.tobytes(), exported.state.ints.tobytes())
    blobs = (exported.control, exported.contract, *arrays)
    if (promises := exported.promises) is None:
        return header, blobs
    return header | {"promises": plain([promises.state, promises.slugs])}, (*blobs, promises.program)


def read_exported_message(header: Any, blobs: Sequence[bytes]) -> ExportedController:
    """The inverse of `exported_message`."""
    interface = read(ControllerInterface, header["interface"])
    dtype = np.dtype(interface.dtype)
    control, contract, params, floats, ints, *program = blobs
    promises = None
    if "promises" in header or program:
        leaves, slugs = header["promises"]
        (promised,) = program
        promises = Promises(promised, tuple(read(Leaf, leaf) for leaf in leaves), tuple(map(str, slugs)))
    state = Vectors(np.frombuffer(floats, dtype), np.frombuffer(ints, np.int32))
    return ExportedController(control, contract, interface, np.frombuffer(params, dtype), state, promises)


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


# ---------------------------------------------------------------- files
def blob_file(program: ProgramBlob, key: str) -> bytes:
    """An executable as one file that names the build it came from; `read_blob_file` is the inverse."""
    header, blobs = blob_message(program)
    return packed({"key": key, "program": header}, blobs)


def read_blob_file(data: bytes, key: str) -> ProgramBlob:
    """The inverse of `blob_file`, for bytes whose hash was checked.

    Raises:
        WorkerFailed: it is the file of another build, or no such file.
    """
    header, blobs = unpacked(data)
    if header.get("key") != key:
        raise WorkerFailed("program file of another build", f"{header.get('key')} instead of {key}")
    try:
        return read_blob(header["program"], blobs)
    except (KeyError, TypeError, ValueError) as error:
        raise WorkerFailed("program file does not read", type(error).__name__) from None


def packed(header: Any, blobs: Sequence[bytes]) -> bytes:
    """A JSON header and some bytes as one file: `magic | header length | count | blob lengths | header | blobs`."""
    text = canonical(header)
    lengths = struct.pack(f"!{len(blobs)}Q", *map(len, blobs))
    return b"".join((_PREFIX.pack(_MAGIC, len(text), len(blobs)), lengths, text, *blobs))


def unpacked(data: bytes) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """The inverse of `packed`.

    Raises:
        WorkerFailed: the bytes are not such a file, or not a whole one.
    """
    try:
        magic, size, count = _PREFIX.unpack_from(data)
        if magic != _MAGIC:
            raise ValueError("other magic")
        lengths = struct.unpack_from(f"!{count}Q", data, _PREFIX.size)
        at = _PREFIX.size + 8 * count
        if len(data) != at + size + sum(lengths):
            raise ValueError("other length")
        header = json.loads(data[at : at + size])
        if not isinstance(header, dict):
            raise ValueError("no header")
    except (struct.error, ValueError, RecursionError) as error:
        raise WorkerFailed("not a program file, or not a whole one", str(error)) from None
    at, blobs = at + size, []
    for length in lengths:
        blobs.append(data[at : at + length])
        at += length
    return header, tuple(blobs)
