"""The calibration finds the bracket that stands in the scenario's file, and says what is wrong with bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def calibrate(*arguments):
    command = [sys.executable, "benchmarks/calibration.py", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=170)


def test_the_bracket_of_a_weak_rotor_is_that_of_its_scenario():
    fault = {"kind": "rotor_efficiency", "rotor": 0, "value": "X", "start": "3 s"}
    done = calibrate("--fault", json.dumps(fault), "--values", "0.95", "0.88", "0.86", "0.8", "--json")
    (bracket,) = json.loads(done.stdout)
    assert (bracket["passes"], bracket["fails"], bracket["again"]) == (0.88, 0.86, [])
    text = (ROOT / "scenarios/quadrotor/landing_rotor_weak.yaml").read_text()
    assert "landing_pid bears 0.88 and fails at 0.86" in text
    at = {point["value"]: point for point in bracket["points"]}
    assert at[0.8]["broken"] == "on-the-pad" and at[0.8]["after_s"] == pytest.approx(0.71, abs=0.3)
    assert at[0.95]["kept"] and at[0.95]["after_s"] is None


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["winds"], "there is no sweep 'winds'"),
        (["--fault", "{kind: wind}"], "write JSON"),
        (["--fault", '{"kind": "payload", "mass_kg": 1}', "--values", "1"], '"X" where the magnitude goes'),
    ],
)
def test_bad_input_is_one_line(arguments, told):
    done = calibrate(*arguments)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
