"""The assertion files that come with the robots: traced, reasoned, scaled, readable, and bound at every rate in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from healing_runtime import stl, workspace
from healing_runtime.core import units
from healing_runtime.stl.formula import Predicate, walk

ROOT = Path(__file__).parents[2]
NAMES = sorted(p.relative_to(ROOT / "assertions").with_suffix("").as_posix() for p in ROOT.glob("assertions/**/*.yaml"))


@pytest.fixture(scope="module")
def home():
    return workspace.open(ROOT)


def rates(home, name) -> set[int]:
    scenarios = [home.scenario(scenario).scenario for scenario in home.scenario_names()]
    return {scenario.control_hz for scenario in scenarios if name in scenario.assertions}


def test_there_is_a_file_for_every_robot(home):
    assert {name.partition("/")[0] for name in NAMES} == set(home.robot_names())


@pytest.mark.parametrize("name", NAMES)
def test_every_assertion_says_whence_and_why(home, name):
    file = home.assertion_file(name)
    requirements = [written.requirement for written in file.assertions]
    assert all(requirements) and len(set(requirements)) == len(requirements)
    for written in file.assertions:
        assert written.rationale.strip().endswith("."), written.id


@pytest.mark.parametrize("name", NAMES)
def test_it_binds_at_every_rate_in_use_and_reads_well(home, name):
    file = home.assertion_file(name)
    in_use = rates(home, name)
    assert in_use, f"no scenario flies {name}"
    for control_hz in in_use:
        for bound in stl.bind([file], home.robot(file.robot).signals, control_hz):
            english = stl.explain(bound.formula, mission=bound.mission)
            assert english.endswith(".") and english[0].isupper()
            assert bound.mission == english.startswith("The flight is to reach")


@pytest.mark.parametrize("name", NAMES)
def test_scales_cover_every_unit_that_is_compared_and_no_other(home, name):
    file = home.assertion_file(name)
    (control_hz, *_) = rates(home, name)
    bound = {r.id: r for r in stl.bind([file], home.robot(file.robot).signals, control_hz)}
    for written in file.assertions:
        parts = walk(bound[written.id].formula)
        compared = {part.left.dimension for part in parts if isinstance(part, Predicate)}
        assert written.mission or {units.dimension(unit) for unit in written.scale} == compared, written.id
