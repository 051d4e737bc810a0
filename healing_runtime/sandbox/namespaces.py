"""A user and a network namespace for the zygote and whatever it forks: no privilege outside, and an empty network.

Entered once, by the zygote, before it imports anything: the kernel allows it to a process with one thread, and workers
are born inside. (A pair for each worker costs about 0.7 ms a worker and now and then 10; sockets are forbidden anyway.)
A root that is inside can do to the machine what its files' permissions and Landlock let it, and nothing else.

`user_namespaces(7)`, `network_namespaces(7)`.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

NEW_USER, NEW_NET = 0x10000000, 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_SELF = Path("/proc/self")
_WORDS = {"user": "user_ns", "net": "net_ns"}
_born_in: dict[str, str] = {}


def enter() -> None:
    """Leave the namespaces that this process was born in for new ones, as far as this machine allows that.

    Tried in a child first, since there is no way back: both, or the network alone, or neither.
    """
    _born_in.update(_here())
    for flags in (NEW_USER | NEW_NET, NEW_NET):
        if allowed(flags):
            _enter(flags)
            return


def allowed(flags: int) -> bool:
    """Whether new namespaces of these kinds may be had, and used, by this process."""
    return _went_well(_forked(lambda: _enter(flags)))


def entered() -> str:
    """The words for what this process is apart from since `enter` was called here or above; empty for nothing."""
    here = _here()
    return "+".join(_WORDS[kind] for kind in here if _born_in.get(kind, here[kind]) != here[kind])


def _here() -> dict[str, str]:
    try:
        return {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in _WORDS}
    except OSError:  # a kernel without them
        return {}


def _enter(flags: int) -> None:
    """OSError where the kernel refuses."""
    maps = {name: _identity(name) for name in ("uid_map", "gid_map")}
    if flags & NEW_USER and os.geteuid() == 0:
        _mapped_from_outside(flags, maps)
    else:
        _unshare(flags)
        if flags & NEW_USER:
            (_SELF / "setgroups").write_text("deny")
            for name, text in maps.items():
                (_SELF / name).write_text(text)


def _identity(name: str) -> str:
    """Everyone inside is who they are outside: all of them for root, oneself for anybody else (who may map no more).

    Files of others stay in root's reach so, as they were: which files a worker sees is Landlock's business.
    """
    if os.geteuid() != 0:
        own = os.geteuid() if name == "uid_map" else os.getegid()
        return f"{own} {own} 1"
    extents = (line.split() for line in (_SELF / name).read_text().splitlines())
    return "\n".join(f"{inside} {inside} {count}" for inside, _, count in extents)


def _mapped_from_outside(flags: int, maps: dict[str, str]) -> None:
    """Enter, and have a child that stays outside write the maps, which only a root out there may."""
    mine = os.getpid()
    read, write = os.pipe()

    def when_told() -> None:
        os.close(write)
        if os.read(read, 1):
            for name, text in maps.items():
                Path(f"/proc/{mine}/{name}").write_text(text)

    child = _forked(when_told)
    os.close(read)
    try:
        _unshare(flags)
        os.write(write, b"1")
    finally:
        os.close(write)
        done = _went_well(child)
    if not done:
        raise OSError("the maps of the user namespace were refused")


def _unshare(flags: int) -> None:
    if _LIBC.unshare(flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"unshare: {os.strerror(code)}")


def _forked(work: Callable[[], None]) -> int:
    """A child that does something and exits, with 0 if that went well."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except OSError:
            pass
        finally:
            os._exit(status)
    return pid


def _went_well(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
