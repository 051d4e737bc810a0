"""The shipped scenarios through the real compiler and the real loop.

The given controllers break their promises, a witness keeps them: in the scenario itself and in its neighbourhood, with
the gate's own draws, thresholds and statistics. The witnesses live here and nowhere in the runtime. What is known of a
scenario stands in `tests/sim/catalogue`; the quadrotor's flights are in `test_catalogue_quadrotor.py`.
"""

import importlib.util
from collections import Counter
from pathlib import Path

import pytest

from healing_runtime import workspace

from . import proofs, tables

ROOT = Path(__file__).resolve().parents[2]
HOME = workspace.open(ROOT)
ROBOTS = [robot for robot in HOME.robot_names() if robot != "quadrotor"]


def test_every_scenario_of_the_catalogue_is_here_and_once():
    listed = [name for module in tables.MODULES for name in (*module.FAILING, *module.SOUND)]
    assert sorted(listed) == sorted(HOME.scenario_names())
    assert set(tables.WITNESS) | set(tables.IMPOSSIBLE) <= set(tables.FAILING)
    assert not set(tables.WITNESS) & set(tables.IMPOSSIBLE)


def test_there_are_at_least_forty_landings_of_the_quadrotor_and_at_least_six_of_every_other_robot():
    count = Counter(name.partition("/")[0] for name in HOME.scenario_names())
    assert count["quadrotor"] >= 40
    assert all(count[robot] >= 6 for robot in HOME.robot_names())


@pytest.mark.parametrize("robot", sorted({name.partition("/")[0] for name in tables.IMPOSSIBLE}))
def test_every_no_has_its_proof_and_nothing_else_has_one(robot):
    proven = proofs.proven(importlib.import_module(f"tests.sim.test_impossible_{robot}"))
    assert proven == {n for n in tables.of(tables.FAILING, robot) if HOME.scenario(n).scenario.healable == "no"}


PROOF = """
import pytest
from tests.sim.proofs import proves

@proves("robot/one", "robot/two")
def test_it(name, load):
    scenario = load(name)
    assert scenario.parameter > 1.0
"""


@pytest.mark.parametrize("instead, with_what", [
    ("def test_it", "def it"),
    ("def test_it", "@pytest.mark.skip(reason='')\ndef test_it"),
    ("def test_it", "@pytest.mark.xfail\ndef test_it"),
    ("def test_it", "@pytest.mark.slow\ndef test_it"),
    ("import pytest", "import pytest\npytestmark = pytest.mark.skip(reason='')"),
    ("import pytest", "import pytest\n__test__ = False"),
    ("    scenario = load(name)", "    scenario = load(name)\n    pytest.skip('')"),
    ("    scenario = load(name)", "    scenario = load(name)\n    return"),
    ("load(name)", "load('robot/other')"),
    ("    assert scenario.parameter > 1.0", "    scenario.parameter > 1.0"),
    ("    assert scenario.parameter > 1.0", "    if scenario.faults:\n        assert scenario.parameter > 1.0"),
    ("assert scenario.parameter > 1.0", "assert name"),
    ("assert scenario.parameter > 1.0", "assert len(name)"),
    ("assert scenario.parameter > 1.0", "scenario = load('robot/other')\n    assert scenario"),
    ('@proves("robot/one", "robot/two")', '@pytest.mark.parametrize("other", ["robot/one", "robot/two"])'),
    ("    assert scenario.parameter > 1.0", "    assert scenario\n\n\ndef test_it():\n    assert 'robot/one'"),
])  # fmt: skip
def test_what_is_skipped_or_asserts_nothing_of_the_scenario_is_no_proof(tmp_path, instead, with_what):
    assert proofs.proven(written_module(tmp_path / "good.py", PROOF)) == {"robot/one", "robot/two"}
    assert PROOF.count(instead) == 1
    assert proofs.proven(written_module(tmp_path / "bad.py", PROOF.replace(instead, with_what))) == set()


def written_module(path, text):
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_says_what_the_scenario_files_say():
    """If this fails: python tools/catalogue_page.py."""
    spec = importlib.util.spec_from_file_location("catalogue_page", ROOT / "tools/catalogue_page.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    text = tool.PAGE.read_text()
    assert tool.written(text, HOME) == text
    assert all(f"| `{name}` |" in text for name in HOME.scenario_names("quadrotor"))


def test_only_what_fails_has_a_label():
    sound = [HOME.scenario(name).scenario for name in tables.SOUND]
    assert [s.name for s in sound if s.healable_reason] == []


@pytest.mark.parametrize("name", tables.of(tables.FAILING, *ROBOTS))
def test_the_given_controller_breaks_its_promise(hangar, name):
    hangar.check_failing(name)


@pytest.mark.parametrize("name", tables.of(tables.SOUND, *ROBOTS))
def test_what_the_given_controller_survives_it_survives_with_its_neighbours(hangar, name):
    hangar.check_sound(name, 4)


@pytest.mark.parametrize("name", tables.of(tables.WITNESS, *ROBOTS))
def test_a_witness_keeps_every_promise_with_a_clear_margin(hangar, name):
    hangar.check_witness(name, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", tables.of(tables.WITNESS, *ROBOTS))
def test_a_witness_passes_the_gates_neighbourhood(hangar, name):
    hangar.check_neighbourhood(name)
