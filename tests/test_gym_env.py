"""Scenarios as Gymnasium environments: what its checker asks, and that a flight there is a flight here."""

import dataclasses
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from healing_runtime import stl, workspace
from healing_runtime import tensorlang as tl
from healing_runtime.core.errors import InputError
from healing_runtime.core.records import FaultSpec, Scenario
from healing_runtime.core.status import Severity
from healing_runtime.gym_env import FARTHEST, make_env
from healing_runtime.loop.rollout import FlightPlan, fly

HOME = workspace.open(workspace.catalogue_root())
FIRST = {name.partition("/")[0]: name for name in reversed(HOME.scenario_names())}
"""A scenario of every robot."""


@pytest.fixture(scope="module")
def lander():
    env = make_env("lander/neuro_lander")
    yield env
    env.close()


@pytest.fixture(scope="module")
def landing():
    """A soft landing as the loop flies it."""
    scenario = HOME.scenario("lander/neuro_lander").scenario
    robot, files = HOME.robot("lander"), [HOME.assertion_file(n) for n in scenario.assertions]
    monitors = stl.judging(stl.bind(files, robot.signals, scenario.control_hz), scenario.mission)
    controller = tl.load(HOME.controller("lander/soft_landing").path)
    program = tl.compile(controller, robot, monitors, control_hz=scenario.control_hz)
    plant = robot.make()
    flight = fly(plant, program, FlightPlan(scenario, scenario.seed))
    plant.close()
    return flight, monitors


def episode(env, actions, seed=5, **options):
    """Every (observation, reward, terminated, truncated, info), the first of them from the reset."""
    observation, told = env.reset(seed=seed, **options)
    out = [(observation, 0.0, False, False, told)]
    for action in actions:
        out.append(env.step(action))
        if out[-1][2] or out[-1][3]:
            break
    return out


def commands(flight, env):
    """The flight's actions as shares of what the engine can do."""
    return flight.trace.action[:-1] / env._layout.high


@pytest.mark.parametrize("robot", sorted(FIRST))
def test_gymnasiums_checker_is_content_with_every_robot(robot):
    env = make_env(FIRST[robot])
    check_env(env)  # a warning of the checker is an error here
    assert env.unwrapped.spec.id == "healing_runtime/Scenario-v0"
    assert env.reset(seed=1)[0].dtype == env.observation_space.dtype == np.float32
    env.close()


def test_it_is_made_by_name_too():
    env = gymnasium.make("healing_runtime.gym_env:healing_runtime/Scenario-v0", scenario="lander/neuro_lander")
    env.reset(seed=1)
    env.step(np.array([0.5], np.float32))
    env.close()
    env.close()


def test_a_flight_there_is_the_flight_of_the_loop(lander, landing):
    flight, monitors = landing
    flown = episode(lander, commands(flight, lander))
    observed = np.array([step[0] for step in flown])
    np.testing.assert_allclose(observed, flight.trace.observed[: len(flown)], rtol=1e-5, atol=1e-4)
    last, accomplished = flown[-1], [step[4]["accomplished"] for step in flown]
    assert last[2] and not last[3] and accomplished.index(True) == len(flown) - 1
    told = last[4]["verdicts"]
    assert {name: verdict["status"] for name, verdict in told.items()} == {
        v.id: v.status.word for v in flight.verdicts if v.id in told
    }
    critical = [v for v in flight.verdicts if v.id in told and v.severity == Severity.CRITICAL and not v.mission]
    assert len(told) == len(monitors) and last[4]["margin"] == pytest.approx(
        min(v.robustness_scaled for v in critical), abs=1e-3
    )


def test_rewards_add_up_to_the_change_of_the_margin_and_one_for_the_mission(lander, landing):
    flown = episode(lander, commands(landing[0], lander))
    total, change = sum(step[1] for step in flown), flown[-1][4]["margin"] - flown[0][4]["margin"]
    assert total == pytest.approx(change + 1.0) and abs(change) > 0.1
    for step in flown:
        assert np.isfinite(step[1]) and abs(step[4]["margin"]) <= FARTHEST


def altered(monkeypatch, env, **fields):
    """The environment with another scenario inside; what judges it stays."""
    monkeypatch.setattr(env, "_scenario", dataclasses.replace(env._scenario, **fields))


def test_the_same_seed_gives_the_same_episode_bit_for_bit(lander, monkeypatch):
    noise = FaultSpec("sensor_noise", {"signal": "altitude", "value": 0.5}, 0)
    altered(monkeypatch, lander, faults=(noise,))
    actions = np.random.default_rng(2).uniform(size=(40, 1))
    first, again, other = (episode(lander, actions, seed) for seed in (3, 3, 4))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0], two[0])
        assert one[1:] == two[1:]
    assert not np.array_equal(first[1][0], other[1][0]), "the noise follows the seed"


def test_without_a_seed_episodes_go_on_and_perturb_draws_another_start(lander):
    def starts(**options):
        return [tuple(lander.reset(seed=seed, **options)[0]) for seed in (1, None, 2, 1)]

    assert len(set(starts())) == 1
    first, on, other, again = starts(options={"perturb": True})
    assert len({first, on, other}) == 3 and first == again


def test_a_trip_ends_the_episode(lander):
    flown = episode(lander, np.zeros((400, 1)))
    assert flown[-1][2] and not flown[-1][3] and flown[-1][4]["tripped"] == ["braking-distance"]
    assert flown[-1][4]["margin"] < 0.0 and flown[-1][4]["verdicts"]["braking-distance"]["status"] == "false"
    with pytest.raises(InputError, match="call reset first"):
        lander.step(np.zeros(1))


def test_the_duration_truncates_the_episode(lander, monkeypatch):
    altered(monkeypatch, lander, duration_ticks=7)
    flown = episode(lander, np.zeros((50, 1)))
    assert [step[3] for step in flown] == [False] * 7 + [True] and not any(step[2] for step in flown)


def test_a_closed_environment_says_so():
    env = make_env("cartpole/balance")
    env.reset(seed=1)
    env.close()
    for use in (env.reset, lambda: env.step(np.zeros(1))):
        with pytest.raises(InputError, match="environment is closed; make another one"):
            use()
    env.close()


@pytest.mark.parametrize(
    "action",
    [
        np.full(1, np.nan),
        np.full(1, np.inf),
        np.zeros(2),
        np.zeros((1, 1)),
        "x",
        np.array(["a"]),
        np.array(["0.5"]),
        [1 + 2j],
        [None],
        [[1.0], [1.0, 2.0]],
        [True],
        {"thrust": 1.0},
    ],
)
def test_an_action_that_is_none_is_refused(lander, action):
    lander.reset(seed=1)
    with pytest.raises(InputError, match=r"an action is \(1,\) finite numbers"):
        lander.step(action)


def test_what_it_does_not_know_is_refused(lander):
    with pytest.raises(InputError, match="no option 'wind'; there is 'perturb'"):
        lander.reset(options={"wind": 3})
    for value in ("no", 0, 1, None, np.ones(1)):
        with pytest.raises(InputError, match=r"'perturb' is .*; give True or False"):
            lander.reset(options={"perturb": value})
    with pytest.raises(InputError, match="no render mode 'human'"):
        type(lander)("lander/neuro_lander", render_mode="human")
    with pytest.raises(InputError, match="no scenario"):
        make_env("lander/nowhere")


@pytest.mark.parametrize("options", [["perturb"], "perturb", 3, {"perturb"}, {3: True, "wind": 1}])
def test_options_that_are_none_are_refused(lander, options):
    with pytest.raises(InputError, match=r"the options are .*; give a dict, as|no option '3'"):
        lander.reset(options=options)


def test_after_a_reset_that_was_refused_there_is_no_flight(lander):
    for options in ({"wind": 3}, {"perturb": 1}, 3):
        lander.reset(seed=1)
        lander.step(np.zeros(1))
        with pytest.raises(InputError):
            lander.reset(options=options)
        with pytest.raises(InputError, match="no flight is under way; call reset first"):
            lander.step(np.zeros(1))


def test_a_reset_or_a_step_in_which_the_robot_fails_leaves_no_flight(lander, monkeypatch):
    for method in ("reset", "step", "observe"):
        lander.reset(seed=1)
        with monkeypatch.context() as patched:
            patched.setattr(lander._plant, method, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                lander.reset(seed=2) if method == "reset" else lander.step(np.zeros(1))
        with pytest.raises(InputError, match="no flight is under way; call reset first"):
            lander.step(np.zeros(1))


def test_what_a_robots_own_code_raises_is_told_as_the_robots(lander, monkeypatch):
    lander.reset(seed=1)
    closed = lander._robot.make()
    closed.close()
    monkeypatch.setattr(lander, "_plant", closed)
    for use in (lambda: lander.step(np.zeros(1)), lambda: lander.reset(seed=2)):
        with pytest.raises(InputError, match=r"lander.py: the plant failed in flight \(.*sim/.*\): .*; correct it\."):
            use()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seed": -1}, "seed: must be greater than or equal to 0"),
        ({"physics_hz": 10**9}, "rates.physics_hz: must be less than or equal to 100000"),
        ({"duration_ticks": 1.5}, "duration_ticks: Input should be a valid integer"),
        ({"initial": {"altitude_m": -5.0}}, "initial.altitude_m: must be greater than or equal to 0"),
        ({"reference": {"star": 1.0}}, "unknown key 'star'"),
        ({"faults": ("x",)}, r"faults\[0\]: Input should be"),
        ({"policy": None}, "policy: Input should be"),
    ],
)
def test_a_loaded_scenario_that_no_file_could_say_is_refused(fields, message):
    loaded = HOME.scenario("lander/neuro_lander")
    changed = dataclasses.replace(loaded, scenario=dataclasses.replace(loaded.scenario, **fields))
    with pytest.raises(InputError, match=f"the scenario 'lander/neuro_lander': {message}") as refused:
        make_env(changed)
    assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="a NoneType is no scenario"):
        make_env(dataclasses.replace(loaded, scenario=None))  # pyright: ignore[reportArgumentType]


def test_faults_that_wait_for_a_formula_are_refused_and_not_ignored(monkeypatch):
    monkeypatch.setattr(Scenario, "triggers", ("contact",), raising=False)
    with pytest.raises(InputError, match=r"neuro_lander.yaml: here no fault may wait"):
        make_env("lander/neuro_lander")


def test_without_gymnasium_the_error_says_what_to_install():
    code = "import sys; sys.modules['gymnasium'] = None; import healing_runtime.gym_env"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "pip install 'healing-runtime[gym]'" in done.stderr.splitlines()[-1]
