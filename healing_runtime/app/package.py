"""An accepted patch as two files for review, and the check of two such files by whoever received them.

The check needs no ledger and no workspace: it holds the files against the hashes that they name. It shows that they
belong together and are whole, not who wrote them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from healing_runtime.core.codec import canonical, digest
from healing_runtime.core.errors import InputError, Location, RecordError
from healing_runtime.core.records import Source
from healing_runtime.gate import evidence_document
from healing_runtime.supervisor.sources import patch_diff

Document = dict[str, Any]

FORMAT = 1
EVIDENCE = ".evidence.json"
_SHOWN = ("sha256", "run", "incident", "state", "recorded_utc", "brain", "controller", "scenario", "diagnosis")
_MOST_BYTES = 16 << 20


def packed(patch: Document, stem: str) -> dict[str, bytes]:
    """File name -> contents: the diff under a head for the reader, and the evidence with the sources by hash."""
    diff = (_preamble(patch) + patch["diff"]).encode()
    document = {
        "format": FORMAT,
        **{key: patch[key] for key in _SHOWN},
        "patch": {"file": f"{stem}.patch", "sha256": digest(diff)},
        "before": patch["before"],
        "after": patch["after"],
        "evidence": patch["evidence"],
        "attempts": patch["attempts"],
    }
    return {f"{stem}.patch": diff, f"{stem}{EVIDENCE}": canonical(document) + b"\n"}


def verify(path: Path) -> Document:
    """Check an exported `*.evidence.json` and the patch beside it.

    Returns:
        What it is of, and `checked`: in words, what was found to hold.

    Raises:
        InputError: a file is missing, is no such file, or does not hold what its hashes say; with the file.
    """
    where = Location(str(path))
    document = _read(path)
    try:
        proven = evidence_document.read(document["evidence"])
    except RecordError as error:
        raise InputError(f"{error} Ask for the package again.", where=where) from None
    beside = path.with_name(Path(str(document["patch"]["file"])).name)
    diff = _bytes(beside)
    text = diff.decode(errors="replace")
    sources = [Source(document["controller"], "", document[key], digest(document[key])) for key in ("before", "after")]
    checks = (
        (beside, digest(diff) == document["patch"]["sha256"], "the patch file has the hash that the evidence names"),
        (path, document["sha256"] == proven.controller_after, "the evidence is of this patch"),
        (path, sources[0].sha256 == proven.controller_before, "the controller before has its hash"),
        (path, sources[1].sha256 == proven.controller_after, "the controller after has its hash"),
        (path, document["controller"] == proven.controller, "the evidence is of this controller"),
        (beside, text.endswith("\n\n" + patch_diff(*sources)), "the diff leads from the one to the other"),
    )
    for file, holds, what in checks:
        if not holds:
            raise InputError(f"it does not hold that {what}; ask for the package again.", where=Location(str(file)))
    return {
        "sha256": document["sha256"],
        "controller": proven.controller,
        "evidence_sha256": proven.evidence_sha256,
        "policy": proven.policy,
        "brain": proven.brain,
        "checked": ["the evidence is whole and has its own hash", *(what for *_, what in checks)],
    }


def _read(path: Path) -> Document:
    where = Location(str(path))
    try:
        document = json.loads(_bytes(path))
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r} is not known")
        for kind, keys in ((str, ("sha256", "controller", "before", "after")), (dict, ("patch", "evidence"))):
            for key in keys:
                if not isinstance(document[key], kind):
                    raise TypeError(f"{key} is not of the kind that it should be")
        if not isinstance(document["patch"].get("file"), str):
            raise TypeError("it names no patch file")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"is no exported evidence ({what}); give the file *{EVIDENCE} that heal patches export wrote.", where=where
        ) from None
    return document


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.", where=Location(str(path))) from error
    if len(data) > _MOST_BYTES:
        raise InputError("is larger than any exported file.", where=Location(str(path)))
    return data


def _preamble(patch: Document) -> str:
    """What a reviewer reads first; `git apply` passes over it."""
    evidence = patch["evidence"]
    stages = ", ".join(stage["stage"] for stage in evidence.get("stages", ()) if stage["accepted"])
    lines = (
        f"Patch:       {patch['sha256']}",
        f"Evidence:    {evidence.get('evidence_sha256', 'not sealed')}",
        f"Controller:  {patch['controller']}",
        f"Written by:  {patch['brain']}",
        f"Scenario:    {patch['scenario']}, incident {patch['incident']}",
        f"State:       {patch['state']}",
        f"Passed:      {stages} (policy {evidence.get('policy', '?')}, confinement {evidence.get('confinement', '?')})",
        *([f"Stands on:   evidence {evidence['stands_on']}"] if evidence.get("stands_on") else []),
        f"Diagnosis:   {' '.join(str(patch['diagnosis']).split())}",
    )
    return "\n".join(lines) + "\n\n"
