"""What stands behind an accepted patch: the computed diff, the hashes, the versions."""

from __future__ import annotations

import difflib
from pathlib import Path

from healing_runtime.core.codec import digest
from healing_runtime.core.platform import pin_platform
from healing_runtime.core.records import Evidence, Incident, Source
from healing_runtime.repair.repair import Repaired
from healing_runtime.supervisor.preparation import Prepared

VERSIONS = ("healing_runtime", "python", "jax", "jaxlib", "numpy", "pybullet")


def evidence_of(
    prepared: Prepared, incident: Incident, outcome: Repaired, before: Source, after: Source, confinement: str
) -> Evidence:
    """The record that is written once, when a patch is accepted, and exported with it."""
    fingerprint = pin_platform()
    return Evidence(
        policy=outcome.decision.policy,
        brain=outcome.brain,
        controller_before=before.sha256,
        controller_after=after.sha256,
        assertions={f.name: f.sha256 for f in prepared.files},
        scenario=prepared.loaded.sha256,
        stages=outcome.decision.stages,
        seeds={"run": prepared.scenario.seed, "incident": incident.id},
        versions={name: str(fingerprint[name]) for name in VERSIONS},
        fingerprint=fingerprint,
        confinement=confinement,
    )


def patch_diff(before: Source, after: Source) -> str:
    """The shown diff is computed from the two sources, never taken from a brain."""
    name = f"controllers/{before.name}.py"
    lines = difflib.unified_diff(
        before.text.splitlines(keepends=True), after.text.splitlines(keepends=True), f"a/{name}", f"b/{name}"
    )
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


def sim_hash(root: Path) -> str:
    """One hash over every Python file of a sim folder."""
    files = sorted(p for p in root.rglob("*.py") if p.is_file())
    return digest({str(p.relative_to(root)): digest(p.read_bytes()) for p in files})
