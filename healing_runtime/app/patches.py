"""An accepted patch taken out of the ledger: packed for review, written into the workspace, taken back.

Nothing here judges. What was accepted is what the gate accepted, with the sources that it saw, byte for byte.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from healing_runtime import workspace
from healing_runtime.app import history, package
from healing_runtime.core.codec import digest
from healing_runtime.core.errors import InputError, Location, NotFoundInCatalogue
from healing_runtime.ledger.patch_memory import PatchMemory
from healing_runtime.ledger.sealed import SealedEvidence

Document = dict[str, Any]

_KEPT = "active"


def export(prefix: str, folder: Path, out: Path | None = None) -> Document:
    """Write `<controller>-<hash>.patch`, which `git apply` takes in the workspace, and its evidence as JSON beside it.

    Raises:
        NotFoundInCatalogue: not one patch fits.
        InputError: one of the files is there already with other contents.
    """
    patch = history.patch(prefix, out)
    stem = f"{patch['controller'].replace('/', '-')}-{_short(patch)}"
    texts = {folder / name: content for name, content in package.packed(patch, stem).items()}
    for path, content in texts.items():
        if path.exists() and path.read_bytes() != content:
            raise InputError("is there already and differs; export to another folder.", where=Location(str(path)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in texts.items():
            _replace(path, content)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}.", where=Location(str(folder))) from error
    return {"sha256": patch["sha256"], "controller": patch["controller"], "files": [str(path) for path in texts]}


def apply(prefix: str, out: Path | None = None) -> Document:
    """Write the patched controller into the workspace, where the flown one stood.

    A controller of the catalogue is copied into the workspace, patched; the catalogue stays as it is.

    Raises:
        NotFoundInCatalogue: not one patch fits, or its controller is not there.
        InputError: the patch did not stay in its flight or was taken back, or the file is not the one that it was
            written for.
    """
    patch = history.patch(prefix, out)
    if patch["state"] != _KEPT:
        raise InputError(
            f"patch {_short(patch)} is '{patch['state']}': it did not stay in its flight, or was taken back since; "
            f"only one that is 'active' is applied. To look at it anew: heal patches export {_short(patch)}."
        )
    return _exchanged(patch, "before", "after", "applied")


def rollback(prefix: str, out: Path | None = None) -> Document:
    """Write the controller that the patch took the place of back into the workspace.

    It is 'rolled_back' from then on, in every run that it stayed in, and the patch memory offers it no more.

    Raises:
        NotFoundInCatalogue: not one patch fits, or its controller is not there.
        InputError: the file is not the patched one.
    """
    answer = _exchanged(history.patch(prefix, out), "after", "before", "rolled back")
    with history.opened(out, "patch", prefix) as ledger:
        ledger.take_back(answer["sha256"])
        PatchMemory(ledger, SealedEvidence.here()).forget(answer["sha256"])
    return answer


def _exchanged(patch: Document, found: str, wanted: str, deed: str) -> Document:
    home = workspace.open()
    name = patch["controller"]
    path = home.root / "controllers" / f"{name}.py"
    if name not in home.controller_names():
        raise NotFoundInCatalogue(
            f"the controller '{name}' of patch {_short(patch)} is not in this workspace; "
            f"take the patch out with heal patches export {_short(patch)}."
        )
    standing = home.controller(name).text
    answer = {"sha256": patch["sha256"], "controller": name, "file": str(path)}
    if standing == patch[wanted] and path.is_file():
        return {**answer, "done": f"was {deed} already"}
    if standing != patch[found]:
        raise InputError(
            f"is not the source that patch {_short(patch)} {'leaves' if found == 'after' else 'was written for'} "
            f"(sha256 {digest(standing.encode()).removeprefix('sha256:')[:12]}); it was changed since. "
            f"Merge by hand: heal patches export {_short(patch)}.",
            where=Location(str(path)),
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, patch[wanted].encode())
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}.", where=Location(str(path))) from error
    return {**answer, "done": deed}


def _short(patch: Document) -> str:
    return str(patch["sha256"]).removeprefix("sha256:")[:12]


def _replace(path: Path, content: bytes) -> None:
    """The file is the old one or the new one, whatever happens; its mode stays."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
