"""A healed landing as a user starts it, flown once for all files that look at it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Flown(NamedTuple):
    """What the process ended with, and the folder with its record and its ledger."""

    returncode: int
    stdout: str
    stderr: str
    out: Path


@pytest.fixture(scope="session")
def flown(tmp_path_factory) -> Flown:
    """`heal run lander/neuro_lander --json`. Whoever changes what it left works on a copy.

    The first that asks flies, in whichever worker of the session; the others wait for it.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    out, said = shared / "neuro_lander", shared / "neuro_lander.json"
    with open(shared / "neuro_lander.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            heal = [sys.executable, "-m", "healing_runtime"]
            command = [*heal, "run", "lander/neuro_lander", "--json", "--out", str(out)]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            said.write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
    return Flown(*json.loads(said.read_text()), out)
