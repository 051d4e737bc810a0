"""Scenarios that cannot be read are no regressions: that is said where they are asked for, and in few words."""

from __future__ import annotations

import shutil

import pytest

from healing_runtime import workspace
from healing_runtime.supervisor.preparation import prepare
from healing_runtime.supervisor.regressions import Regressions


@pytest.fixture
def home(tmp_path):
    """A workspace with as many broken scenarios of the robot beside those of the catalogue."""

    def make(broken):
        root = workspace.catalogue_root()
        folder = tmp_path / "scenarios" / "cartpole"
        folder.mkdir(parents=True)
        shutil.copy(root / "scenarios" / "cartpole" / "balance.yaml", folder)
        for number in range(broken):
            (folder / f"broken_{number}.yaml").write_text("robot: cartpole\n")
        return workspace.open(tmp_path)

    return make


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (2, "broken_0, cartpole/broken_1"),
        (5, "broken_0, cartpole/broken_1, cartpole/broken_2, cartpole/broken_3, cartpole/broken_4"),
        (7, "broken_0, cartpole/broken_1, cartpole/broken_2, cartpole/broken_3, cartpole/broken_4 and 2 more"),
    ],
)
def test_five_are_named_and_the_others_counted(home, broken, said):
    lines = []
    regressions = Regressions(prepare("cartpole/balance", home=home(broken)), lines.append)
    assert lines == []
    assert list(regressions.courses())
    assert lines == [f"left out as regressions, see heal check: cartpole/{said}"]
