"""Texts and folders as a reviewer names them: the computed diff, the hash of a simulation folder."""

from __future__ import annotations

import difflib
from pathlib import Path

from healing_runtime.core.codec import digest
from healing_runtime.core.records import Source


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
