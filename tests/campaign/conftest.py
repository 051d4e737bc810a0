"""A workspace with a lander whose legs break only in a corner of what may happen to it."""

from pathlib import Path

import pytest

ASSERTIONS = """
robot: lander
assertions:
  - id: touchdown-speed
    formula: always (touchdown_speed < 5 m/s)
    scale: {m/s: 5}
  - id: fuel-reserve
    severity: warning
    formula: always (fuel > 100 kg)
  - id: high-and-slow
    severity: warning
    formula: always (altitude > 1 km implies descent_rate < 1 m/s)
  - id: seen
    severity: warning
    formula: always (observed(altitude) > -5 m)
mission:
  - id: landed
    formula: eventually[0 s, 40 s] landed
"""

CORNER = """
# The engine weakens, a load comes on: only both, early, low on fuel and fast make it hit the ground hard.
robot: lander
controller: lander/soft_landing
assertions: [lander/touch]
mission: landed
duration: 40 s
rates: {control_hz: 10, physics_hz: 100}
seed: 3
initial: {altitude_m: 60, velocity_mps: -8, fuel_kg: 300}
faults:
  - {kind: force_saturation, value: 0.75, start: 2 s}
  - {kind: payload, mass_kg: 200, start: 1 s, until: 30 s}
  - {kind: sensor_noise, signal: velocity, value: 0.05}
perturb:
  altitude_m: {uniform: [-20, 20]}
  velocity_mps: {uniform: [-4, 4]}
  fuel_kg: {normal: 30}
  gravity_mps2: {uniform: [-0.1, 0.2]}
  faults:
    force_saturation.value: {uniform: [-0.23, 0.1]}
    mass_kg: {uniform: [-100, 50]}
    force_saturation.start: {uniform: [0 s, 10 s]}
    payload.start: {uniform: [0 s, 10 s]}
"""


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The workspace; the current folder is in it."""
    for path, text in (("assertions/lander/touch.yaml", ASSERTIONS), ("scenarios/lander/corner.yaml", CORNER)):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def vary(home):
    """Write another scenario: the corner's text with pieces replaced. Gives its name."""

    def write(name: str, *changes: tuple[str, str]) -> str:
        text = CORNER
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (home / f"scenarios/lander/{name}.yaml").write_text(text)
        return f"lander/{name}"

    return write
