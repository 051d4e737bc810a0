"""A run whose wall budget ends while a patch is judged: no verdict on the patch, and a record that replays."""

import json
import math
from pathlib import Path

import pytest

from healing_runtime import workspace
from healing_runtime.core.errors import BudgetSpent
from healing_runtime.gate import policy
from healing_runtime.supervisor.replay import replay
from healing_runtime.supervisor.runtime import Runtime
from healing_runtime.telemetry.record import RunFolder

ROOT = Path(__file__).parents[2]
SCENARIO = "lander/neuro_lander"


@pytest.mark.slow
def test_a_patch_that_was_still_judged_is_neither_accepted_nor_refused(tmp_path, monkeypatch):
    soft = (ROOT / "controllers/lander/soft_landing.py").read_text()
    (tmp_path / "script.json").write_text(json.dumps({"answers": [{"source": soft}]}))

    def judge(self, *_):
        assert math.isfinite(self._sandbox._deadline_s), "its workers have the deadline of the repair"
        raise BudgetSpent("fly_job was cut off")

    monkeypatch.setattr(policy.Gate, "judge", judge)
    home = workspace.open(ROOT)
    brain = f"mock:{tmp_path / 'script.json'}"
    result = Runtime(SCENARIO, brain=brain, workspace=home, out=tmp_path / "runs").run()
    (incident,) = result.document["incidents"]
    assert (result.exit_code, incident["ending"], incident["attempts"]) == (1, "wall_budget_spent", [])
    assert "neither accepted nor refused" in incident["detail"] and incident["patch"] is None
    assert RunFolder.open(result.folder).read_attempts(incident["id"]) == ()
    monkeypatch.undo()
    again = replay(result.folder, verify=True, home=home)
    assert again.exit_code == 0, again.document
