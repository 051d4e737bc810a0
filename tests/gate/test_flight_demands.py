"""What the flights ask of a patch, one by one: each refuses a patch that fails in nothing else, and says where."""

from __future__ import annotations

import dataclasses

import gate_kit as kit
import pytest

from healing_runtime.compile.cache import Cache
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate
from healing_runtime.gate.records import Resume
from healing_runtime.ledger.store import Ledger
from healing_runtime.workspace.plants import load_robot

TABLE = load_robot("walker", kit.SIM).signals
"""Its thrust follows by 5 N a tick."""

JUMPS = kit.controller(output="jnp.clip(thrust, 4.0, 6.0) + 3.0 * state['sign']")
JUMPS = JUMPS.replace("jnp.asarray(2.0)}", "jnp.asarray(2.0), 'sign': jnp.asarray(1.0)}")
JUMPS = JUMPS.replace(
    '{"previous_m": obs["altitude_m"]}\n', '{"previous_m": obs["altitude_m"], "sign": -state["sign"]}\n'
)
BELOW = kit.controller(kp=30.0, kd=11.0, target=1.7, output="jnp.clip(thrust, -1.0, 20.0)")
BREAKS = kit.controller(target=1.5, output='jnp.clip(thrust, 0.0, 20.0) + 0.0 * jnp.sqrt(obs["altitude_m"] - 1.9)')
FINITE = ["controller/thrust-inside-its-limit", "controller/finite-action"]
"""A command that is no number is inside no limit, so the controller's own assert breaks with it."""
COSTLY = kit.GOOD.replace("import jax.numpy as jnp", "import jax.numpy as jnp\nfrom jax import lax").replace(
    "    action =", "    wasted = lax.fori_loop(0, 90000, lambda i, x: jnp.sin(x), jnp.ones(100))\n    thrust = "
    "thrust + 0.0 * wasted[0]\n    action =",
)  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    Ledger(folder / "ledger.sqlite3").close()
    (folder / "cache").mkdir(mode=0o700)
    with KeptPrograms(folder / "ledger.sqlite3", Cache(folder / "cache")) as kept:
        yield kept


@pytest.fixture
def judge(sandbox, kept):
    def judge(text, mission=None, **acceptance):
        file = kit.assertions()
        if mission is not None:
            *others, last = file.assertions
            file = dataclasses.replace(file, assertions=(*others, dataclasses.replace(last, formula=mission)))
        file = dataclasses.replace(file, robot="walker", sha256=f"sha256:{mission}")
        context = kit.context(files=file, samples=0, **acceptance)
        scenario = dataclasses.replace(context.course.scenario, robot="walker")
        course = dataclasses.replace(context.course, scenario=scenario)
        gate = Gate(sandbox, dataclasses.replace(context, course=course, table=TABLE), kept)
        decision = gate.judge(kit.proposal(text), kit.incident(), (Resume(0),))
        return decision.stages[-1]

    return judge


def test_what_fails_nowhere_is_accepted(judge):
    found = judge(kit.GOOD)
    assert found.accepted and found.counterexample is None
    assert found.facts["scenario"]["margins"].keys() == {"above-floor", "below-ceiling", "holds"}


@pytest.mark.parametrize(
    ("text", "mission", "reason", "violated"),
    [
        (kit.GOOD, "eventually (altitude > 2.9 m)", "mission holds ended false", ["holds"]),
        (JUMPS, None, "changes faster than its rate limit", []),
        (BELOW, None, "lies outside its limits", []),
        (BREAKS, None, "controller/finite-action violated", FINITE),
    ],
    ids=["mission", "rates", "limits", "finite"],
)
def test_a_patch_that_fails_in_one_thing_is_refused_for_it(judge, text, mission, reason, violated):
    found = judge(text, mission)
    assert (found.stage, found.accepted, found.facts["flight"]) == ("flights", False, "incident")
    assert reason in found.reason
    bad = found.counterexample
    assert bad["violated"] == violated and 0 <= bad["tick"] <= 100
    assert set(bad["values"]) == {"altitude_m", "velocity_mps"} and set(bad["command"]) == {"thrust_n"}


def test_a_margin_too_thin_is_refused_with_the_tick_that_decided_it(judge):
    found = judge(kit.GOOD, min_robustness=5.0)
    assert "scaled robustness" in found.reason and found.counterexample["violated"] == [
        found.facts["report"]["weakest"]
    ]


def test_a_cost_outside_the_control_period_is_refused_before_anything_flies(judge):
    found = judge(COSTLY)
    assert (found.stage, found.accepted) == ("passes", False)
    assert found.reason.startswith("cost: control needs") and found.line and found.facts["cost"]["flops"] > 2e7
