"""Scenarios that cannot be read are no regressions: that is said where they are asked for, and in few words."""

from __future__ import annotations

import dataclasses
import shutil
from types import SimpleNamespace

import pytest

from healing_runtime import workspace
from healing_runtime.core.errors import InputError
from healing_runtime.supervisor.preparation import prepare
from healing_runtime.supervisor.regressions import Regressions
from healing_runtime.supervisor.surroundings import here


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


def test_a_run_that_goes_on_refuses_when_one_was_changed_meanwhile(home, tmp_path):
    prepared = prepare("cartpole/balance", home=home(1))
    listed = Regressions(prepared, print).listed
    loaded = SimpleNamespace(regressions=None, listed=listed, surroundings=here(prepared, listed))
    gone_on = dataclasses.replace(prepared, loaded=loaded)
    assert list(Regressions(gone_on, lambda _: None).courses())
    (tmp_path / "scenarios/cartpole/broken_0.yaml").write_text("robot: cartpole\nseed: 2\n")
    with pytest.raises(InputError, match="are not what they were when it began"):
        list(Regressions(gone_on, print).courses())
