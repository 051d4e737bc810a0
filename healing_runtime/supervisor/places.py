"""Where run folders lie: what lies beside them, and whether a folder can hold one."""

from __future__ import annotations

import os
from pathlib import Path

from healing_runtime.core.errors import InputError

LEDGER = "ledger.sqlite3"
"""Name of the ledger, beside the run folders."""


def refuse_bad_place(parent: Path) -> None:
    """Find out before anything is built that no run can be written below `parent`; makes nothing.

    Raises:
        InputError: it is a file, or the nearest folder that is there cannot be written to.
    """
    there = next(p for p in (parent.absolute(), *parent.absolute().parents) if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(
            f"no run can be written to {parent}: {there} is no folder that can be written to; give another --out."
        )
