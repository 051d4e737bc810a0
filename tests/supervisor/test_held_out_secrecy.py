"""What the gate drew after a candidate was fixed stays there: no request, file, log or ledger has any of it."""

from pathlib import Path

import pytest

from healing_runtime import workspace
from healing_runtime.core.codec import canonical, digest
from healing_runtime.gate.neighbourhood import generator, neighbours
from healing_runtime.supervisor.runtime import Runtime
from healing_runtime.supervisor.settings import Settings

ROOT = Path(__file__).parents[2]
FLY = """robot: lander
controller: lander/neuro_pilot
assertions: [lander/neuro]
mission: landed
duration: 40 s
rates: {control_hz: 10, physics_hz: 100}
initial: {altitude_m: 100, velocity_mps: -10, fuel_kg: 300}
perturb: {altitude_m: {uniform: [-95, 40]}, velocity_mps: {normal: 20}}
policy: {max_attempts: 2, wall_budget_s: 600}
acceptance: {neighbourhood: {samples: 96, min_pass_rate: 0.9}, regressions: false}
"""


class Listening:
    """A brain that offers one good patch and keeps the requests."""

    name = "listening"

    def __init__(self, source):
        self.requests = []
        self._source = source

    def propose(self, request):
        from healing_runtime.core.records import Proposal

        self.requests.append(canonical(request).decode())
        return (Proposal("slower", "file", self._source),) if len(self.requests) == 1 else ()

    def close(self):
        pass


@pytest.mark.slow
def test_nothing_of_a_held_out_flight_is_found_anywhere(tmp_path):
    shipped = workspace.open(ROOT).scenario("lander/neuro_lander").scenario
    text = FLY.replace("lander/neuro]", ", ".join(shipped.assertions) + "]")
    (tmp_path / "scenarios/lander").mkdir(parents=True)
    (tmp_path / "scenarios/lander/wide.yaml").write_text(text.replace("mission: landed", f"mission: {shipped.mission}"))
    home = workspace.open(tmp_path)
    soft = (ROOT / "controllers/lander/soft_landing.py").read_text()
    brain = Listening(soft)
    settings = Settings(make_brain=lambda _: brain, out=tmp_path / "runs")
    result = Runtime("lander/wide", workspace=home, settings=settings).run()
    (incident,) = result.document["incidents"]
    (attempt,) = incident["attempts"]
    assert "held-out neighbours:" in attempt["reason"], "else this test shows nothing"
    assert len(brain.requests) == 2 and '"passed":' in brain.requests[1]

    scenario = home.scenario("lander/wide").scenario
    drawn = neighbours(scenario, generator(scenario.seed, incident["id"], digest(soft), 1))
    secrets = {str(n.seed) for n in drawn if n.seed > 10**6}
    values = [n.initial[key] for n in drawn for key in ("altitude_m", "velocity_mps")]
    secrets |= {text for v in values for text in (repr(v)[:8], f"{v:.6g}") if len(text) > 6}
    places = {str(p): p.read_bytes() for p in (tmp_path / "runs").rglob("*") if p.is_file()}
    assert any("log.mcap" in p for p in places) and any("sqlite3" in p for p in places)
    places |= {f"request {i}": request.encode() for i, request in enumerate(brain.requests)}
    found = {place: s for place, data in places.items() for s in secrets if s.encode() in data}
    assert found == {}
