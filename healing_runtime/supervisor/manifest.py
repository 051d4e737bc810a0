"""What `manifest.json` holds: everything that a run was begun with, and the hash that tells whether it was changed."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from healing_runtime.core.codec import digest, plain
from healing_runtime.core.platform import pin_platform
from healing_runtime.gate.fallback import Admitted
from healing_runtime.gate.records import Surroundings
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.supervisor.settings import Settings
from healing_runtime.supervisor.sources import sim_hash

MANIFEST_FORMAT = 4


def manifest_of(
    run_id: str,
    prepared: Prepared,
    settings: Settings,
    program_sha256: str,
    fallback: Admitted | None,
    regressions: Sequence[Any],
    surroundings: Surroundings,
    confinement: str,
) -> dict[str, Any]:
    """The manifest of a run that begins now, with its hash."""
    manifest = {
        "format": MANIFEST_FORMAT,
        "run_id": run_id,
        "created_utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "scenario": plain(prepared.scenario),
        "scenario_file": {
            "path": str(prepared.loaded.path),
            "sha256": prepared.loaded.sha256,
            "text": prepared.loaded.text,
        },
        "notes": list(prepared.loaded.notes),
        "controller": plain(prepared.source),
        "fallback": None if prepared.fallback is None else plain(prepared.fallback),
        "fallback_admission": None if fallback is None else fallback.document(),
        "assertion_files": plain(prepared.files),
        "regressions": plain(list(regressions)),
        "robot": {"name": prepared.robot.name, "sim_sha256": sim_hash(prepared.sim_root)},
        "surroundings": surroundings.hashes,
        "brain": settings.brain,
        "memory": settings.memory,
        "program_sha256": program_sha256,
        "ground_truth": prepared.robot.ground_truth,
        "fingerprint": plain(pin_platform()),
        "confinement": confinement,
    }
    manifest["inputs_sha256"] = inputs_of(manifest)
    return manifest


def inputs_of(manifest: Mapping[str, Any]) -> str:
    """Hash of a manifest but for the hash itself; tells one that was changed or damaged."""
    return digest({key: value for key, value in manifest.items() if key != "inputs_sha256"})


def begun(prepared: Prepared, folder: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of a run as it begins."""
    of_manifest = {key: manifest[key] for key in ("created_utc", "brain", "program_sha256")}
    return {"scenario": prepared.scenario.name, "folder": folder, **of_manifest}
