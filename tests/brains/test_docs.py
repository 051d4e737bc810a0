"""The user's page about brains: its snippets run."""

from __future__ import annotations

import re
from pathlib import Path

from healing_runtime.brains import catalogue
from healing_runtime.brains.brain import check
from healing_runtime.brains.mock import MockBrain

PAGE = (Path(__file__).parents[2] / "docs" / "brains.md").read_text()


def _snippet(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    return text


def test_the_script_is_read(tmp_path, ask):
    (tmp_path / "patched.py").write_text("PARAMS = {}\n")
    (tmp_path / "s.yaml").write_text(_snippet("yaml"))
    assert MockBrain.from_file(tmp_path / "s.yaml").propose(ask())[0].edit_kind == "parameters"


def test_the_brain_keeps_the_contract(ask):
    scope: dict[str, object] = {}
    exec(_snippet("python"), scope)
    brain = scope["HigherGain"]()
    assert scope["check"] is check
    assert check(brain, ask()) == ()
    assert '"kp": 5.0' in brain.propose(ask())[0].source


def test_every_brain_is_on_the_page():
    forms = re.findall(r"^\| `(.*?)` \|", PAGE.replace("`, `", "` |\n| `"), flags=re.MULTILINE)
    assert {catalogue.parse(f.replace("=BRAIN", "=embedded")).kind for f in forms if f not in ("--brain", "none")} == {
        *catalogue.kinds()
    }
