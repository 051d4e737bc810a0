"""Draw `healed_landing.png` from a run's own record: `make picture` (about 20 s)."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from healing_runtime.telemetry.mcap import read_log

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = "lander/neuro_lander"
BROKEN, HEALED, INK = "#c2410c", "#0f766e", "#334155"


class Flown(NamedTuple):
    """One branch of a flight: seconds, metres, metres per second downward, newtons commanded."""

    t_s: np.ndarray
    altitude_m: np.ndarray
    descent_mps: np.ndarray
    thrust_n: np.ndarray


def main(target: Path) -> None:
    """Fly the scenario once without a brain and once with the default one, and draw both."""
    with tempfile.TemporaryDirectory() as scratch:
        crash_document, crash = _fly("none", Path(scratch) / "none")
        document, folder = _fly("embedded", Path(scratch) / "embedded")
        if document["outcome"] != "healed":
            sys.exit(f"{SCENARIO} ended {document['outcome']}; there is no healed landing to draw.")
        _draw(_branch(crash, 0), _healed(folder, document["final_branch"]), document["incidents"][0], target)
    print(f"{target}: {document['outcome']}, without a brain {crash_document['outcome']}")


def _fly(brain: str, out: Path) -> tuple[dict[str, Any], Path]:
    command = [sys.executable, "-m", "healing_runtime", "run", SCENARIO, "--brain", brain, "--out", str(out), "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    document = json.loads(done.stdout)
    return document, out / document["run_id"]


def _branch(folder: Path, branch: int) -> Flown:
    prefix = f"/branch/{branch}" if branch else ""
    states: dict[int, dict[str, float]] = {}
    for message in read_log(folder / "log.mcap").messages:
        if message.topic in (f"{prefix}/sim/state", f"{prefix}/control/cmd_applied"):
            states.setdefault(message.t_ns, {}).update(json.loads(message.data)["values"])
    rows = [(t * 1e-9, s["altitude_m"], s["descent_rate_mps"], s.get("thrust_n", np.nan)) for t, s in states.items()]
    return Flown(*np.array(rows).T)


def _healed(folder: Path, branch: int) -> Flown:
    """The final branch, with the rows that it shares with the first one before the swap."""
    first, last = _branch(folder, 0), _branch(folder, branch)
    shared = first.t_s < last.t_s[0]
    return Flown(*(np.concatenate([a[shared], b]) for a, b in zip(first, last, strict=True)))


def _draw(crash: Flown, healed: Flown, incident: dict[str, Any], target: Path) -> None:
    swap_s = incident["resume_tick"] * incident["t_s"] / incident["tick"]
    after = healed.t_s >= swap_s - 1e-9
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained", sharex=True)
    for axis, title, values, broken in zip(
        axes,
        ("height, m", "descent rate, m/s", "thrust, N"),
        (healed.altitude_m, healed.descent_mps, healed.thrust_n),
        (crash.altitude_m, crash.descent_mps, crash.thrust_n),
        strict=True,
    ):
        axis.plot(crash.t_s, broken, color=BROKEN, lw=2.2, label="as written, stopped at the violation")
        axis.plot(healed.t_s[after], values[after], color=HEALED, lw=2.2, label="after the swap")
        axis.axvline(swap_s, color=INK, lw=0.8, ls=":")
        axis.plot([incident["t_s"]], [broken[-1]], "o", color=BROKEN, ms=6)
        axis.set_title(title, loc="left", fontsize=10, color=INK)
        axis.set_xlabel("s", color=INK)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(colors=INK, labelsize=8)
        axis.grid(alpha=0.2)
    axes[1].axhline(5.0, color=INK, lw=0.8, ls="--")
    axes[1].annotate("touchdown limit", (healed.t_s[-1], 5.0), ha="right", va="bottom", fontsize=8, color=INK)
    axes[0].legend(frameon=False, fontsize=8, loc="upper right")
    figure.suptitle(
        f"{SCENARIO}: {incident['assertion']} broken at {incident['t_s']:.1f} s, "
        f"healed in {incident['time_to_heal_s']:.1f} s, swapped in at {swap_s:.1f} s",
        fontsize=10,
        color=INK,
    )
    figure.savefig(target, dpi=130, metadata={"Software": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "healed_landing.png")
