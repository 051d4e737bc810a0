"""Whether a worker sees secrets that lie around it: run by `report` in a worker, with only the confinement around."""

import os
import re

from healing_runtime.sandbox.messages import Message

SECRET = re.compile(rb"ca[n]ary-key-[0-9a-f]{32}")
"""Any secret of the report. The pattern itself is none, so what is found was not brought along."""
LARGEST = 1 << 30


def look(message):
    """Where a secret is found: in this process, in others, in files. `scanned` bytes of its own memory were read."""
    places = [f"/proc/{pid}/{what}" for pid in message.header["processes"] for what in ("environ", "cmdline", "maps")]
    seen = {path: _bytes(path) for path in ("/proc/self/environ", *places, *message.header["files"])}
    seen["os.environ"] = repr(dict(os.environ)).encode()
    found = [where for where, data in seen.items() if SECRET.search(data)]
    scanned = 0
    with open("/proc/self/mem", "rb", buffering=0) as memory:
        for start, size in _writable():
            try:
                memory.seek(start)
                data = memory.read(size)
            except (OSError, OverflowError):  # the kernel's own pages
                continue
            scanned += len(data)
            if SECRET.search(data):
                found.append("memory")
    return Message({"found": sorted(set(found)), "scanned": scanned})


def _bytes(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _writable():
    for line in _bytes("/proc/self/maps").decode().splitlines():
        span, rights, *_ = line.split()
        start, end = (int(part, 16) for part in span.split("-"))
        if rights.startswith("rw") and end - start < LARGEST:
            yield start, end - start
