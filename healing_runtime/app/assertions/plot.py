"""Timelines of assertions over a recording, written as pictures and pages."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from healing_runtime.app.assertions.case import case_of
from healing_runtime.core.codec import plain
from healing_runtime.core.errors import InputError
from healing_runtime.core.recording import Recording
from healing_runtime.reports.page import page
from healing_runtime.reports.picture import picture
from healing_runtime.reports.sentences import MADE_BY
from healing_runtime.reports.timeline import Timeline, timelines

Draw = Callable[[Sequence[Timeline], Recording], bytes]

DRAWN: Mapping[str, Draw] = {".png": picture, ".html": lambda drawn, recording: page(drawn, recording).encode()}
_NOT_OURS_TO_MEND = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EEXIST,
    errno.ELOOP,
)  # fmt: skip


def plot(
    source: str,
    files: Sequence[str] = (),
    ids: Sequence[str] = (),
    outputs: Sequence[Path] = (),
    *,
    out_dir: Path | None = None,
    rate: str | None = None,
    columns: Sequence[str] = (),
) -> dict[str, Any]:
    """Judge a recording and draw what became of each assertion.

    Args:
        source: a run's folder or id, a CSV file or an MCAP file.
        files: assertion files, by path or catalogue name; those of the run if left out.
        ids: of these the ones that are wanted; all if left out.
        outputs: where to write, `.png` or `.html`; `<recording>-assertions` with both endings if left out.
        out_dir: folder of the files that are not named; made if it is not there. The current folder if left out.
        rate: how often the file was sampled, as in `48 Hz`.
        columns: what columns of a file are, as in `alt=altitude [m]`.

    Raises:
        InputError, RecordError: where, what is wrong, what to do.
    """
    if outputs and out_dir is not None:
        raise InputError("give --output or --out-dir, not both.")
    if out_dir is not None and out_dir.exists() and not out_dir.is_dir():
        raise InputError(f"{out_dir} is a file; name a folder.")
    targets = tuple(outputs) or _default_targets(source, out_dir)
    for target in targets:
        _check_target(target, named=bool(outputs))
    case = case_of(source, files, ids, rate=rate, columns=columns)
    recording = case.recording
    with jax.enable_x64(case.dtype == "float64"):
        drawn = timelines(case.requirements, case.files, recording, case.known)
    case.must_be_as_told({timeline.id: timeline.verdict.word for timeline in drawn})
    contents = {target: DRAWN[target.suffix.lower()](drawn, recording) for target in dict.fromkeys(targets)}
    if out_dir is not None:
        _made(out_dir)
    written = [{"path": str(target), "replaced": _write(target, content)} for target, content in contents.items()]
    return {
        "recording": recording.name,
        "robot": recording.robot,
        "samples": len(recording),
        "notes": list(recording.notes),
        "assertions": [_entry(timeline) for timeline in drawn],
        "files": written,
    }


def _entry(timeline: Timeline) -> dict[str, Any]:
    return {
        "id": timeline.id,
        "severity": timeline.severity,
        "status": timeline.verdict.word,
        "robustness": plain(timeline.robustness * timeline.unit.factor),
        "violated_t_s": None if timeline.violation is None else float(timeline.t_s[timeline.violation]),
        "worst_t_s": None if timeline.worst is None else float(timeline.t_s[timeline.worst]),
        "rows": len(timeline.rows),
        "left_out": list(timeline.left_out),
    }


# ---------------------------------------------------------------- where it goes
def _default_targets(source: str, out_dir: Path | None) -> tuple[Path, ...]:
    path = Path(source)
    name = path.stem if path.suffix.lower() in (".csv", ".mcap") else path.resolve().name
    name = re.sub(r"[^\w.+-]+", "-", name).strip("-") or "recording"
    return tuple((out_dir or Path()) / f"{name}-assertions{suffix}" for suffix in DRAWN)


def _check_target(target: Path, *, named: bool) -> None:
    """Refuse what cannot be written before anything is calculated, and never lose a file that is not ours."""
    if target.suffix.lower() not in DRAWN:
        raise InputError(f"{target} ends neither in .png nor in .html; choose one of them.")
    if target.is_dir():
        raise InputError(f"{target} is a folder; name a file in it.")
    if named and not target.parent.is_dir():
        raise InputError(f"there is no folder {target.parent}; make it, or write elsewhere.")
    if target.exists() and not _is_ours(target):
        raise InputError(f"{target} is there and was not made by this command; remove it, or write elsewhere.")


def _is_ours(target: Path) -> bool:
    """Whether this command made the file: it signs in the first part of what it writes."""
    if not target.is_file():
        return False
    try:
        with target.open("rb") as file:
            return MADE_BY.encode() in file.read(2048)
    except OSError as error:
        raise _unwritable(target, error) from None


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None


def _write(target: Path, content: bytes) -> bool:
    """Put the file there whole or not at all; whether it took the place of an older one."""
    replaced = target.exists()
    try:
        handle, scratch = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem[:40]}-", suffix=target.suffix)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.chmod(scratch, 0o666 & ~_umask())
            os.replace(scratch, target)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(target, error) from None
    return replaced


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _unwritable(target: Path, error: OSError) -> Exception:
    if error.errno in _NOT_OURS_TO_MEND:
        return InputError(f"{target} cannot be written: {error.strerror}; write elsewhere.")
    return error
