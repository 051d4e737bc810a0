"""No false refusal before the flights: what a good engineer may write is compiled as well, not only traced."""

from __future__ import annotations

import importlib
from pathlib import Path

import gate_kit as kit
import numpy as np
import pytest

from healing_runtime import workspace
from healing_runtime.core.records import Scenario
from healing_runtime.core.status import Stage
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import candidate_of, decide, full
from healing_runtime.gate.records import Context, Course

ROOT = Path(__file__).parents[2]
VARIANTS = {name: (of, text) for name, of, text in importlib.import_module("gate_cases").sound_variants()}
MEDIAN = kit.controller().replace(
    '    error = params["target_m"] - obs["altitude_m"]\n',
    '    middle_m = jnp.median(jnp.stack([obs["altitude_m"], state["previous_m"], params["target_m"]]))\n'
    '    error = params["target_m"] - 0.5 * (obs["altitude_m"] + middle_m)\n',
)
"""XLA sorts for a median, which it cannot emit as a part of one kernel."""


def before_the_flights(sandbox, context, text):
    stages = tuple(s for s in full(sandbox, context, KeptPrograms.none()) if s[0] is not Stage.FLIGHTS)
    decision, judged = decide("full", stages, candidate_of(kit.proposal(text), kit.incident(), (), context.original))
    assert decision.refusal is None, decision.refusal
    assert judged.program is not None
    return judged.program


def test_what_xla_cannot_emit_as_one_kernel_is_compiled_the_usual_way(sandbox):
    program = before_the_flights(sandbox, kit.context(), MEDIAN)
    assert np.isfinite(program.params).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_every_good_variant_is_compiled(sandbox, name):
    of, text = VARIANTS[name]
    home = workspace.open(ROOT)
    original, robot = home.controller(of), home.robot(of.partition("/")[0])
    scenario = Scenario("", robot.name, of, (), None, 10, 50, 50, 0, {}, {})
    before_the_flights(sandbox, Context(Course(scenario, ()), original, robot.signals, ""), text)
