"""`heal` without its start: one process imports what the program imports, and forks a `heal` for every call.

Each call is still a process with arguments, environment, folder and descriptors of its own; what it saves is a second
of imports. So a test of that start runs `python -m healing_runtime` and not this.

    python warm_heal.py FOLDER

writes a program `FOLDER/heal` for the `PATH`, prints a line when it can be called, and ends with its standard input.
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import select
import socket
import sys
from pathlib import Path

IMPORTED = (
    "jax",
    "healing_runtime.cli.main",
    "healing_runtime.app.check",
    "healing_runtime.app.flights",
    "healing_runtime.app.formulas",
    "healing_runtime.app.history",
    "healing_runtime.app.patches",
    "healing_runtime.app.recordings",
)

CLIENT = """#!{python} -SI
import array, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    given = array.array("i", [0, 1, 2, os.open(".", os.O_RDONLY)])
    server.sendmsg([b"*"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, given)])
    server.sendall(json.dumps([sys.argv, dict(os.environ)]).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(16)))
"""


def serve(folder: Path) -> int:
    """Answer calls until nobody wants them; in the process that is a call, its exit code."""
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # shared by all calls, and no garbage of theirs
    with socket.socket(socket.AF_UNIX) as calls:
        calls.bind(str(folder / "socket"))
        calls.listen()
        program = folder / "heal"
        program.write_text(CLIENT.format(python=sys.executable, address=str(folder / "socket")))
        program.chmod(0o755)
        print(program, flush=True)
        keepers = 0
        while sys.stdin not in select.select([calls, sys.stdin], [], [])[0]:
            call = calls.accept()[0]
            if os.fork() == 0:
                calls.close()
                return answer(call)
            call.close()
            keepers += 1
            while keepers and os.waitpid(-1, os.WNOHANG)[0]:
                keepers -= 1
    return 0


def answer(call: socket.socket) -> int:
    """Fork the call itself, wait for it, say how it ended."""
    with call:
        _, ancillary, _, _ = call.recvmsg(1, socket.CMSG_SPACE(4 * array.array("i").itemsize))
        *standard, here = array.array("i", ancillary[0][2])
        with call.makefile("rb") as text:
            arguments, environment = json.loads(text.read())
        if child := os.fork():
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            call.sendall(str(code if code >= 0 else 128 - code).encode())
            os._exit(0)
    os.fchdir(here)
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
    for descriptor in (*standard, here):
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = arguments
    from healing_runtime.cli.main import main

    return main()


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1])))
