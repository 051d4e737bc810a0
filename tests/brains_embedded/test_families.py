"""Structures are drafted from what was measured, and fly before any number is tuned."""

from pathlib import Path

import numpy as np
import pytest

from healing_runtime import workspace
from healing_runtime.brains.embedded import families, structures
from healing_runtime.brains.embedded.judge import Judge
from healing_runtime.brains.embedded.rollout import Draws, Rollout
from healing_runtime.brains.embedded.score import passed
from healing_runtime.brains.embedded.task import task_of
from healing_runtime.language import controller, source

ROOT = Path(__file__).parents[2]


def made(request, robot):
    task = task_of(request, robot)
    draws = Draws(task.twin)
    plans = structures.plans(request, task, lambda: draws)
    return task, draws, {plan.name: plan.make() for plan in plans}


def test_simple_structures_come_first(hopper):
    names = [family.name for family in families.FAMILIES if family.fits(hopper.table)]
    assert names == ["vertical-p", "vertical-pd", "vertical-pid"]


def test_what_turns_is_no_vertical_robot():
    table = workspace.open(ROOT).robot("cartpole").signals
    assert [family.name for family in families.FAMILIES if family.fits(table)] == []


def test_measured_numbers_stay_and_the_others_are_searched(hopper):
    _, _, found = made(hopper.request(hopper.no_thrust), hopper.robot)
    searched = {leaf.name for leaf in found["vertical-pid"].space.tunable}
    params = found["vertical-pid"].parsed.params
    assert params["hover_n"] == pytest.approx(hopper.mass_kg * hopper.gravity_mps2, rel=1e-3)
    assert "hover_n" not in searched and "integral_gain_n_m" in searched


def test_a_contract_over_the_memory_keeps_other_structures_out(hopper):
    watching = hopper.no_thrust.replace("return {}", 'return {"n": jnp.zeros(())}').replace(
        "    return action, state", '    assert state["n"] >= 0.0, "count"\n    return action, state'
    )
    _, _, found = made(hopper.request(watching), hopper.robot)
    assert found == {}


def test_names_cannot_break_out_of_the_docstring(hopper):
    request = hopper.request(hopper.no_thrust, controller='a"""\nimport os', assertion="caf\u00e9")
    _, _, found = made(request, hopper.robot)
    assert source.parse(found["vertical-p"].parsed.source.text).doc.startswith("Written in place of a___")


def test_the_cascade_lands_a_multirotor_with_its_first_gains(hopper):
    opened = workspace.open(ROOT)
    scenario = opened.scenario("quadrotor/landing").scenario
    request = hopper.request(
        opened.controller(scenario.controller, None).text,
        robot=scenario.robot,
        control_hz=scenario.control_hz,
        physics_hz=scenario.physics_hz,
        duration_ticks=scenario.duration_ticks,
        initial=scenario.initial,
        environment=scenario.environment,
        reference=scenario.reference,
        mission=scenario.mission,
        files=tuple(opened.assertion_file(name) for name in scenario.assertions),
    )
    task, draws, found = made(request, opened.robot(scenario.robot))
    structure = found["multirotor-cascade"]
    rollout = Rollout(task, draws, controller.load(structure.parsed))
    flights = rollout.fly(Judge(task), [structure.parsed.params], np.arange(32), np.linspace(0.0, 0.4, 32))
    assert passed(flights, task.trips).mean() > 0.9
