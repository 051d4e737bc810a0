"""What this machine has, and the repair of a truncated record."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from healing_runtime import workspace
from healing_runtime.app.flights import run_path
from healing_runtime.core.errors import HealingError
from healing_runtime.core.platform import pin_platform

_KEYS = {"gemini": "GEMINI_API_KEY"}


def examine() -> dict[str, Any]:
    """Versions, devices, the confinement that workers get, and whether the brains' keys are set (never their value)."""
    platform = pin_platform()
    home = workspace.open()
    return {
        "platform": platform,
        "devices": _devices(),
        **_confinement(),
        "brains": _brains(),
        "workspace": str(home.root),
        "catalogue": str(home.catalogue),
        "cache": _cache(),
    }


def repair(run: Path) -> dict[str, Any]:
    """Rewrite a run's truncated log with a footer, so that public tools open it.

    Raises:
        InputError, RecordError: there is no such run, the folder is not one run's record, its log cannot be read at
            all, or the run is being flown. Nothing was written then.
    """
    from healing_runtime.supervisor.record import Record
    from healing_runtime.telemetry.mcap import read_log, repair_log
    from healing_runtime.telemetry.record import RunFolder

    folder = RunFolder.open(run_path(run))
    log = folder.log_path
    with folder.claim():  # a log that is being written has no end yet
        record = Record.open(folder.path)
        record.must_be_unchanged()
        before = record.log
        if not before.complete:
            repair_log(log)
    after = read_log(log)
    return {
        "run": folder.run_id,
        "log": str(log),
        "messages": len(after.messages),
        "was_complete": before.complete,
        "broken_at": before.broken_at,
        "repaired": not before.complete and after.complete,
    }


def _devices() -> list[str]:
    from healing_runtime.compile import devices

    return [f"{device.platform}:{device.id} ({device.device_kind})" for device in devices.default()]


def _confinement() -> dict[str, Any]:
    """What a worker achieves here, or why none can be had; and what would make it stricter."""
    from healing_runtime.sandbox import confinement
    from healing_runtime.sandbox.zygote import Sandbox

    try:
        with Sandbox(workers=1, modules=()) as sandbox:
            achieved = sandbox.confinement
    except (HealingError, OSError) as error:
        return {"confinement": f"none: {error}", "confinement_lacks": list(confinement.REMEDIES.values())}
    return {
        "confinement": achieved,
        "confinement_lacks": [confinement.REMEDIES[word] for word in confinement.missing(achieved)],
    }


def _brains() -> dict[str, str]:
    from healing_runtime.brains import catalogue

    return {kind: _readiness(kind) for kind in catalogue.kinds()}


def _readiness(kind: str) -> str:
    key = _KEYS.get(kind)
    if key is None:
        return "ready"
    return f"{key} is set" if os.environ.get(key) else f"{key} is not set"


def _cache() -> dict[str, Any]:
    """Where executables are kept, how much of it there is, and whether it can be used."""
    from healing_runtime.compile.cache import VARIABLE, Cache, place

    folder = place()
    if folder is None:
        return {"folder": "none", "entries": 0, "bytes": 0, "usable": f"no: {VARIABLE} is off"}
    cache = Cache(folder)
    usage = cache.usage()
    usable = f"no: {cache.trouble}" if cache.trouble else "yes"
    return {"folder": str(folder), "entries": usage.entries, "bytes": usage.bytes, "usable": usable}
