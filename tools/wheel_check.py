"""The wheel in an empty environment: built, installed with the pinned versions, and used from a folder of its own.

A checkout on the path would hide a file that the wheel forgot, so this runs outside pytest and outside the checkout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ("controllers", "assertions", "scenarios", "sim")


def main() -> int:
    """Build, install, use; the first thing that does not hold stops with its name."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="heal-wheel-") as scratch_name:
        scratch = Path(scratch_name)
        wheel = _build(scratch / "dist")
        _inspect(wheel)
        heal = _install(wheel, scratch / "env")
        _use(heal, scratch / "elsewhere")
    print(f"wheel: built, installed into an empty environment and used, {time.monotonic() - started:.0f} s")
    return 0


def _build(folder: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _inspect(wheel: Path) -> None:
    """Every file of the catalogue is in the wheel, and no other top-level name than ours."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names}
    strangers = {t for t in tops if t != "healing_runtime" and not t.endswith(".dist-info")}
    _require(not strangers, f"the wheel puts {', '.join(sorted(strangers))} on a user's machine")
    for folder in CATALOGUE:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".yaml", ".md"):
                inside = f"healing_runtime/catalogue/{path.relative_to(ROOT).as_posix()}"
                _require(inside in names, f"the wheel lacks {inside}")


def _install(wheel: Path, folder: Path) -> Path:
    """An environment without pip, filled by ours; modules are compiled when `heal` imports them, and most never are."""
    venv.create(folder)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    command = [*pip, "--quiet", "install", "--no-compile", "-c", str(ROOT / "constraints.txt"), str(wheel)]
    subprocess.run(command, check=True)
    return folder / "bin" / "heal"


def _use(heal: Path, folder: Path) -> None:
    """`heal` in a folder that knows nothing of the checkout: look, scaffold, check, fly, heal, verify."""
    folder.mkdir()
    names = _heal(heal, folder, "catalogue", "list")
    _require("lander/neuro_lander" in names["scenarios"], "the installed catalogue lacks lander/neuro_lander")
    _heal(heal, folder, "init", "mine")
    _heal(heal, folder / "mine", "check")
    _heal(heal, folder / "mine", "run", "lander/first")
    result = _heal(heal, folder, "run", "lander/neuro_lander")
    _require(result["outcome"] == "healed", f"lander/neuro_lander ended {result['outcome']}")
    _heal(heal, folder, "replay", f"runs/{result['run_id']}", "--verify")


def _heal(heal: Path, folder: Path, *arguments: str) -> dict[str, Any]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["HEALING_RUNTIME_CACHE"] = str(heal.parents[2] / "executables")
    done = subprocess.run(
        [str(heal), *arguments, "--json"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    _require(done.returncode == 0, f"heal {' '.join(arguments)} exits {done.returncode}: {done.stderr.strip()[-600:]}")
    return json.loads(done.stdout)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        sys.exit(f"wheel: {otherwise}")


if __name__ == "__main__":
    sys.exit(main())
