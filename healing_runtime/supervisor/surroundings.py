"""What a verdict hangs on besides the texts that fly: here and now, and as it was when a run was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from healing_runtime.compile.key import code_sha256
from healing_runtime.core.codec import digest, plain
from healing_runtime.core.errors import InputError
from healing_runtime.core.platform import fingerprint
from healing_runtime.gate.records import Surroundings
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.supervisor.sources import sim_hash

_JUDGING = ("compile", "core", "gate", "language", "loop", "sandbox", "stl", "workspace")
"""Packages whose code decides what a flight gives and whether it will do."""


def here(prepared: Prepared, listed: Sequence[Mapping[str, str]]) -> Surroundings:
    """What the gate of a run stands in; `listed` are the other scenarios of the robot with their hashes."""
    return Surroundings(
        runtime=code_sha256(_JUDGING),
        simulation=sim_hash(prepared.sim_root),
        others=digest([list(listed), _assertion_files(prepared) if listed else {}]),
        fingerprint=plain(fingerprint()),
    )


def recorded(manifest: Mapping[str, Any], sim_root: Path) -> Surroundings:
    """What a recorded run stood in. A replay judges by it what the run judged, on whatever machine and code it runs."""
    hashes, platform = manifest.get("surroundings", {}), manifest["fingerprint"]
    known = {name: str(hashes.get(name, "")) for name in Surroundings().hashes}
    exact = platform == plain(fingerprint()) and known["simulation"] == sim_hash(sim_root)
    return Surroundings(**known, fingerprint=platform, exact=exact)


def _assertion_files(prepared: Prepared) -> dict[str, str]:
    """Name and hash of each: whichever the other scenarios name are among them."""
    home, found = prepared.workspace, {}
    for name in home.assertion_names():
        try:
            found[name] = home.assertion_sha256(name)
        except InputError:
            found[name] = ""
    return found
