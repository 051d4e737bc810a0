"""Landlock: the kernel lets this process, and whatever it starts, open the named files and folders and nothing else.

Three system calls of Linux (5.13 and later; `landlock(7)`). What an older kernel does not know is left out, and `Reach`
says what was had.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Sequence
from typing import NamedTuple

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_LIBC = ctypes.CDLL(None, use_errno=True)

# Access to files, by the bit's number in the kernel's interface.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _READ_FILE | _READ_DIR
_KNOWN_BITS = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many access rights each version of the interface knows; from version 5 on sixteen."""
_TCP = 0b11
"""Bind and connect, from version 4 on."""
_SCOPES = 0b11
"""Abstract sockets and signals to processes outside, from version 6 on."""


class Reach(NamedTuple):
    """What is restricted. Files always are."""

    tcp: bool
    signals: bool


def version() -> int:
    """The version of the kernel's interface; 0 where there is none."""
    return max(0, _LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION)))


def restrict(readable: Sequence[str], writable: Sequence[str]) -> Reach:
    """Restrict this thread, for good: reading under `readable`, everything but executing under `writable`.

    Paths that are not there are skipped. Wants `no_new_privs`; files that are open stay open.

    Raises:
        OSError: the kernel refuses, or has no Landlock.
    """
    known = version()
    every = (1 << _KNOWN_BITS.get(known, 16)) - 1
    attributes = struct.pack("=QQQ", every, _TCP if known >= 4 else 0, _SCOPES if known >= 6 else 0)
    size = 8 if known < 4 else 16 if known < 6 else 24
    ruleset = _called(_CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for path in readable:
            _allow(ruleset, path, _READ)
        for path in writable:
            _allow(ruleset, path, every & ~_EXECUTE)
        _called(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
    return Reach(tcp=known >= 4, signals=known >= 6)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            access &= _OF_FILES & ((1 << _KNOWN_BITS.get(version(), 16)) - 1)
        rule = struct.pack("=Qi", access, place)
        _called(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(place)


def _called(number: int, *arguments: object) -> int:
    result = _LIBC.syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock: {os.strerror(code)}")
    return result
