"""What waits until the flights are over: the gate sees as far as a scenario is long, and no further."""

from __future__ import annotations

import dataclasses

import gate_kit as kit
import pytest
import sources

from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate
from healing_runtime.gate.records import Resume

WAITING = sources.written(
    {
        "category": "gaming",
        "form": "control",
        "init": "return {'tick': 0.0}",
        "control": "hold = jnp.clip(5.0 + 6.0 * (2.0 - obs['altitude_m']) - 4.0 * obs['velocity_mps'], 0.0, 20.0)\n"
        "return {'thrust_n': jnp.where(state['tick'] > 120.0, 0.0, hold)}, {'tick': state['tick'] + 1.0}",
    }
)[0]
"""Holds for 120 ticks and lets go; the scenario has 100."""


def judged(sandbox, ticks, samples):
    context = kit.context(original=sources.ORIGINAL, samples=samples)
    course = context.course
    longer = dataclasses.replace(course, scenario=dataclasses.replace(course.scenario, duration_ticks=ticks))
    gate = Gate(sandbox, dataclasses.replace(context, course=longer), KeptPrograms.none())
    return gate.judge(kit.proposal(WAITING), kit.incident(), (Resume(0),))


@pytest.mark.slow
def test_what_waits_is_seen_by_a_scenario_that_is_long_enough(sandbox):
    refusal = judged(sandbox, 160, 0).refusal
    assert refusal is not None and "above-floor violated" in refusal.reason


@pytest.mark.slow
def test_what_waits_longer_than_the_scenario_is_accepted_for_the_scenario_alone(sandbox):
    """No examination sees past its end: that is why an acceptance holds for as many ticks as were flown."""
    decision = judged(sandbox, 100, 40)
    assert decision.accepted and decision.stages[-1].facts["neighbourhood"]["passed"] > 0
