"""A workspace whose one scenario wants a person's approval, with a scripted brain that has two patches to offer."""

import json
import shutil
from pathlib import Path

from healing_runtime.ledger.store import Ledger
from healing_runtime.supervisor.approval import review_of

ROOT = Path(__file__).parents[2]
SCENARIO = "lander/reviewed"
FLY = """robot: lander
controller: lander/neuro_pilot
assertions: [lander/landing]
mission: landed
duration: 40 s
rates: {control_hz: 10, physics_hz: 100}
seed: 11
initial: {altitude_m: 100, velocity_mps: -10, fuel_kg: 300}
policy: {approval: APPROVAL, max_attempts: 3, wall_budget_s: 600}
acceptance: {neighbourhood: {samples: 12, min_pass_rate: 0.7}, regressions: false}
"""
GOOD = (ROOT / "controllers/lander/soft_landing.py").read_text()


def made(folder: Path, approval: str = "human") -> str:
    """The workspace; gives the name of its brain."""
    (folder / "scenarios/lander").mkdir(parents=True)
    (folder / "scenarios/lander/reviewed.yaml").write_text(FLY.replace("APPROVAL", approval))
    answers = [{"diagnosis": "the engine is off", "source": GOOD}, {"source": GOOD + "\n# a second thought\n"}]
    (folder / "script.json").write_text(json.dumps({"answers": answers}))
    return f"mock:{folder / 'script.json'}"


def copied(run: Path, to: Path) -> Path:
    """A run with its ledger, to change."""
    shutil.copytree(run.parent, to)
    return to / run.name


def review(run: Path):
    """What waits in a run."""
    with Ledger(run.parent / "ledger.sqlite3") as ledger:
        return review_of(next(p for p in ledger.patches() if p["state"] == "pending"))


def states(run: Path) -> list[str]:
    """The states of the patches, oldest first."""
    with Ledger(run.parent / "ledger.sqlite3") as ledger:
        return [p["state"] for p in reversed(ledger.patches())]
