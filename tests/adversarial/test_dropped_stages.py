"""No stage stands in for another: each one, taken out of the tuple, lets something go on that it alone refuses there.

There is no switch for this at run time; a test composes the stages anew.
"""

from __future__ import annotations

import gate_kit as kit
import pytest
import sources

from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import candidate_of, decide, full
from healing_runtime.gate.records import Resume
from healing_runtime.language.syntax.names import Names
from healing_runtime.sandbox.zygote import Sandbox

CASES = sources.cases()
LEAKING = sources.OWNED.replace('return {"integral_m_s": 0.0}', 'return {"integral_m_s": 0.0, "old_m": 0.0}').replace(
    'return action, {"integral_m_s": integral}', 'return action, {"integral_m_s": integral, "old_m": obs["altitude_m"]}'
)
"""Flies well, and writes memory that nothing reads."""
WIDENED, _ = sources.written(CASES["ownership/tolerance_widened"])
EMPTIED, _ = sources.written(CASES["ownership/state_key_emptied"])
SINKING = sources.OWNED.replace("error = 2.0 -", "error = 0.2 -")
SHAPELESS = sources.OWNED.replace("jnp.clip(thrust, 0.0, 20.0)", "jnp.clip(thrust, 0.0, 20.0) * jnp.ones(3)")
SNIFFING = sources.OWNED.replace(
    '    error = 2.0 - obs["altitude_m"]',
    "    try:\n        traced = 0.0 * float(obs['altitude_m'])\n    except:\n        traced = 1.0\n"
    "    error = traced * (2.0 - obs['altitude_m'])",
)
"""Flies well where it is traced, and not at all where its numbers are numbers."""


def judged(sandbox, text, without=""):
    """The stage that refuses a patch of OWNED, if one does."""
    context = kit.context(original=sources.OWNED, samples=0)
    candidate = candidate_of(kit.proposal(text), kit.incident(), (Resume(0),), context.original)
    stages = full(sandbox, context, KeptPrograms.none())
    refusal = decide("full", tuple(s for s in stages if s[0] != without), candidate)[0].refusal
    return refusal and refusal.stage.value


@pytest.mark.parametrize(
    ("stage", "text", "then"),
    [
        ("contract", "  \n", "syntax"),
        ("syntax", sources.written(CASES["host_access/import_inside"])[0], "ownership"),
        ("ownership", WIDENED, None),
        ("trace", SHAPELESS, "export"),
        ("passes", LEAKING, None),
        ("export", EMPTIED, "flights"),
        ("flights", SINKING, None),
    ],
)
def test_without_a_stage_another_refuses_or_none_does(sandbox, stage, text, then):
    assert judged(sandbox, text) == stage
    assert judged(sandbox, text, without=stage) == then


def test_without_the_syntax_check_what_it_alone_refuses_is_accepted(sandbox, monkeypatch):
    """Workers parse a source again before they run it: there the check is made toothless too. They stay confined."""
    assert judged(sandbox, SNIFFING) == "syntax"
    modules = ("numpy", "jax", "healing_runtime.gate.build", "healing_runtime.gate.flights", "permissive")
    monkeypatch.setattr(Names, "refuse", lambda self, node, message: None)
    with Sandbox(workers=2, modules=modules, path=[__file__.rpartition("/")[0]]) as toothless:
        assert toothless.confinement == sandbox.confinement
        assert judged(toothless, SNIFFING, without="syntax") is None
