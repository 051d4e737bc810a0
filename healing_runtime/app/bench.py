"""The speed benchmarks: each file of `benchmarks/` is run on its own and answers with one JSON document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healing_runtime import workspace
from healing_runtime.core.errors import InputError, OutsideError
from healing_runtime.core.platform import fingerprint

if TYPE_CHECKING:
    from healing_runtime.telemetry.progress import Progress


def speed(only: tuple[str, ...] = (), *, out: Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Run all subjects, or those named, one after the other; `{machine, results: [...]}`.

    Raises:
        InputError: this is not a checkout, or there is no such subject.
        OutsideError: a benchmark failed; its last line is in the message.
    """
    subjects = _subjects()
    unknown = [name for name in only if name.upper() not in subjects]
    if unknown:
        raise InputError(f"there is no benchmark '{unknown[0]}'; there are {', '.join(subjects)}.")
    chosen = [name for name in subjects if not only or name in {n.upper() for n in only}]
    results: list[dict[str, Any]] = []
    for i, name in enumerate(chosen):
        if progress is not None:
            progress.advance(i / len(chosen), f"{name}: {subjects[name].stem}")
        results += _measure(subjects[name])
    document = {"machine": fingerprint(), "results": results}
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(document, indent=2) + "\n")
    return document


def _subjects() -> dict[str, Path]:
    """`P1` -> benchmarks/p1_tick.py, in the order of their numbers."""
    root = workspace.catalogue_root() / "benchmarks"
    found = {path.stem.partition("_")[0].upper(): path for path in root.glob("p[0-9]*_*.py")}
    if not found:
        raise InputError("heal bench speed needs a checkout of the project; the wheel does not carry the benchmarks.")
    return dict(sorted(found.items(), key=lambda item: int(item[0][1:])))


def _measure(path: Path) -> list[dict[str, Any]]:
    environment = {**os.environ, "PYTHONPATH": str(path.parent.parent)}
    done = subprocess.run(
        [sys.executable, str(path), "--json"], env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise OutsideError(f"{path.name} failed with exit code {done.returncode}; run it alone to see why.")
    return json.loads(done.stdout)
