"""A whole run healed over HTTP: a malformed answer and a refused patch are fed back, then a good patch is accepted."""

from __future__ import annotations

import json
from pathlib import Path

from healing_runtime import workspace
from healing_runtime.supervisor.replay import replay
from healing_runtime.supervisor.runtime import Runtime

ROOT = Path(__file__).parents[2]


def answer(source: str) -> str:
    proposal = {"diagnosis": "it never brakes", "edit_kind": "file", "source": source, "changed_assumptions": []}
    return json.dumps(proposal)


def test_a_malformed_answer_and_a_refused_patch_are_fed_back_and_mended(gemini, key, tmp_path):
    good = (ROOT / "controllers/lander/soft_landing.py").read_text()
    gemini.says("Certainly! Here is the patch.")
    gemini.says(answer("import os\n" + good))
    gemini.says(answer(good))
    home = workspace.open(ROOT)
    result = Runtime(
        "lander/neuro_lander", brain="gemini:gemini-9-test", brain_fallback=False, workspace=home, out=tmp_path
    ).run()

    (incident,) = result.document["incidents"]
    assert result.document["outcome"] == "healed"
    assert [(a["brain"], a["verdict"], a["stage"]) for a in incident["attempts"]] == [
        ("gemini:gemini-9-test", "refused", "syntax"),
        ("gemini:gemini-9-test", "accepted", "flights"),
    ]
    malformed, refused = gemini.asked[1].texts, gemini.asked[2].texts
    assert len(malformed) == 3, "the question, the malformed answer, and what was wrong with it"
    assert "import" in refused[-1] and "syntax" in refused[-1]

    record = list((result.folder / "incidents" / incident["id"]).glob("exchange-*.json"))
    assert len(record) == 3
    assert not any(key in path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())
    asked = len(gemini.asked)
    assert replay(result.folder, verify=True, home=home).exit_code == 0
    assert len(gemini.asked) == asked, "a replay asks no brain"
