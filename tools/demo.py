"""`make demo`: fly the lander and the quadrotor, heal what fails, and say where the run records lie."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = (
    "lander/neuro_lander",
    "quadrotor/landing",
    "quadrotor/landing_hard_touchdown",
    "quadrotor/landing_wrong_sign",
    "quadrotor/landing_rotor_weak",
)


def main() -> int:
    """Fly each scenario with the default brain; the exit code is 0 when every landing succeeds or is healed."""
    documents = [_fly(scenario) for scenario in SCENARIOS]
    print("\nrun records:")
    for document in documents:
        print(f"  {document['outcome']:<10} {document['scenario']:<34} runs/{document['run_id']}")
    last = f"runs/{documents[0]['run_id']}"
    print(f"\nnext: .venv/bin/heal replay {last} --verify, or open {last}/log.mcap in Foxglove or PlotJuggler.")
    return 0 if all(d["outcome"] in ("succeeded", "healed") for d in documents) else 1


def _fly(scenario: str) -> dict[str, Any]:
    print(f"\n--- heal run {scenario}", flush=True)
    command = [sys.executable, "-m", "healing_runtime", "run", scenario, "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    document = json.loads(done.stdout)
    if "error" in document:
        sys.exit(done.returncode)
    for incident in document["incidents"]:
        print(f"{incident['assertion']} violated at {incident['t_s']:.2f} s (tick {incident['tick']})")
        for attempt in incident["attempts"]:
            print(f"  {attempt['brain']}: {attempt['verdict']} {attempt['reason']}".rstrip())
        if incident["healed"]:
            print(f"  healed in {incident['time_to_heal_s']:.2f} s, patch {incident['patch'][:19]}")
    print(
        f"{document['outcome']}, mission {'satisfied' if document['mission']['satisfied'] else 'not satisfied'}",
        flush=True,
    )
    return document


if __name__ == "__main__":
    sys.exit(main())
