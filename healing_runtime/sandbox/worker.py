"""The life of a worker: confine, say by what, read one job, answer, exit."""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import socket
from collections.abc import Callable
from typing import NoReturn, cast

from healing_runtime.core.errors import InputError
from healing_runtime.sandbox import confinement
from healing_runtime.sandbox.messages import Limits, Message, pack, unpack

MAX_TEXT = 4000


def live(connection: socket.socket, log: int, limits: Limits, nproc: int | None, parent: int) -> NoReturn:
    """Run as the forked child: never returns, never unwinds into the zygote's stack.

    Args:
        connection: the job comes and the answer goes here.
        log: descriptor that takes stdout and stderr.
        limits: what may be used.
        nproc: cores XLA may see, None for all.
        parent: the zygote's process id.
    """
    status = 1
    try:
        confinement.die_with_parent(parent)
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGXCPU):
            signal.signal(number, signal.SIG_DFL)
        keep = connection.fileno()
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.closerange(3, keep)
        os.closerange(keep + 1, 4096)
        faulthandler.enable(file=2, all_threads=False)
        if nproc is None:
            os.environ.pop("NPROC", None)
        else:
            os.environ["NPROC"] = str(nproc)
        connection.sendall(pack(Message({"confined": confinement.confine(limits)})))
        connection.sendall(pack(_answer(connection)))
        status = 0
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace")[:MAX_TEXT])
    finally:
        os._exit(status)


def _answer(connection: socket.socket) -> Message:
    stream = connection.makefile("rb")

    def read_exactly(count: int) -> bytes:
        data = stream.read(count)
        if len(data) != count:
            raise EOFError("the job ended early")
        return data

    job = unpack(read_exactly)
    function = str(job.header["function"])
    try:
        result = resolve(function)(Message(job.header["header"], job.blobs))
        return Message({"answer": result.header}, result.blobs)
    except InputError as error:
        where = error.where
        place = {"path": where.path, "line": where.line, "column": where.column} if where else None
        return Message({"error": {"kind": type(error).__name__, "message": clip(error.message), "where": place}})
    except MemoryError:
        return Message({"failure": {"reason": "ran out of memory", "detail": function}})
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return Message({"failure": {"reason": f"{function} raised", "detail": clip(text)}})


def resolve(name: str) -> Callable[[Message], Message]:
    """`package.module:function` -> the function. ValueError or ImportError if there is none."""
    module, _, attribute = name.partition(":")
    function = getattr(importlib.import_module(module), attribute, None)
    if not callable(function):
        raise ValueError(f"{name} is not a function")
    return cast("Callable[[Message], Message]", function)


def clip(text: str) -> str:
    """Text short enough for an error message."""
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + " …"
