"""Draw `timeline.png` as a reader of timelines.md would: `make picture`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCENARIO, ASSERTION = "quadrotor/landing_rotor_weak", "on-the-pad"


def main(target: Path) -> None:
    """Fly the scenario without a brain and draw the assertion that it breaks."""
    with tempfile.TemporaryDirectory() as scratch:
        _heal("run", SCENARIO, "--brain", "none", "--out", scratch)
        (run,) = Path(scratch).glob("*-landing_rotor_weak-*")
        _heal("assertions", "plot", str(run), "--id", ASSERTION, "--output", str(target.resolve()))
    print(target)


def _heal(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "healing_runtime", *arguments], cwd=ROOT, check=False)
    if done.returncode not in (0, 1):
        sys.exit(done.returncode)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "timeline.png")
