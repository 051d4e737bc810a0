"""The composed gate, with real workers, on a robot that is no more than a point mass."""

from __future__ import annotations

import dataclasses
import json
import re

import gate_kit as kit
import numpy as np
import pytest

from healing_runtime.compile.programs import load
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core import codec
from healing_runtime.core.errors import FileFormatError, SandboxFailed, SubsetError
from healing_runtime.core.records import Decision, Snapshot
from healing_runtime.gate.evidence import evidence
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.neighbourhood import generator, neighbours
from healing_runtime.gate.policy import Gate, admit, candidate_of, decide, full
from healing_runtime.gate.records import Resume
from healing_runtime.gate.trials import resume_ticks, spent
from healing_runtime.sandbox.zygote import Sandbox


def judge(sandbox, text, kind="file", incident=None, gate=None, flying=None, resumes=None, **context):
    gate = gate or Gate(sandbox, kit.context(**context), KeptPrograms.none())
    resumes = (Resume(0),) if resumes is None else resumes
    return gate.judge(kit.proposal(text, kind), incident or kit.incident(), resumes, flying)


def refusal(decision):
    assert not decision.accepted and decision.program_sha256 is None and decision.resume_tick is None
    assert decision.refusal is decision.stages[-1]
    return decision.refusal


# ---------------------------------------------------------------- acceptance
@pytest.fixture(scope="module")
def accepted(sandbox):
    gate = Gate(sandbox, kit.context(), KeptPrograms.none())
    return judge(sandbox, kit.GOOD, gate=gate), gate.program


def test_a_good_patch_passes_every_stage(accepted):
    decision, program = accepted
    assert decision.refusal is None and decision.accepted
    names = [s.stage.value for s in decision.stages]
    assert names == ["contract", "syntax", "ownership", "trace", "passes", "export", "flights"]
    assert decision.program_sha256 == program.sha256
    assert (decision.resume_tick, decision.bracket) == (0, (0, None))
    facts = decision.stages[-1].facts
    assert facts["repeated"] and facts["neighbourhood"]["passed"] == facts["neighbourhood"]["needed"]
    assert facts["neighbourhood"]["lower_bound"] >= 0.9
    assert set(decision.wall_s) == {"verify", "compile", "validate"}
    assert "wall" not in json.dumps(codec.plain(decision.stages))


def test_evidence_says_what_was_run(accepted, sandbox):
    context = kit.context()
    record = evidence(
        accepted[0],
        context,
        kit.incident(),
        kit.proposal(kit.GOOD),
        context.original,
        brain="mock",
        confinement=sandbox.confinement,
        fingerprint={"python": "3", "jax": "0"},
    )
    assert record.controller_after == kit.source(kit.GOOD).sha256 != record.controller_before
    run, incident, candidate, number = record.seeds["neighbourhood"]
    scenario = context.course.scenario
    drawn = neighbours(scenario, generator(run, incident, candidate, number))
    assert len(drawn) == scenario.acceptance.samples
    json.dumps(codec.plain(record))


def test_a_parameters_patch_passes_as_one(sandbox):
    decision = judge(sandbox, kit.GOOD, kind="parameters", samples=0)
    assert decision.accepted
    assert decision.stages[-1].facts["neighbourhood"] is None


@pytest.fixture(scope="module")
def resume(sandbox):
    """Places of resumption, with the memory of controller and monitors while the original lets go."""
    blob = admit(sandbox, kit.source(kit.DROPS), kit.course(), kit.TABLE, KeptPrograms.none())
    program = load(blob)
    speeds = -0.1 * np.arange(32)
    altitudes = 2.0 + np.cumsum(speeds) / 50
    samples = np.stack([altitudes, speeds], axis=1).astype(np.float32)
    carries, memory = [], program.start().joined()
    for sample in samples:
        carries.append(program.carried(memory))
        memory, _ = program.tick(program.params, memory, np.tile(sample, 2))

    def resume(tick, **kwargs):
        return Resume(tick, Vectors(*(part.copy() for part in carries[tick])), blob.interface, **kwargs)

    return resume


SLOW = kit.controller(kp=2.0, kd=1.5)


def test_rewind_resumes_at_the_latest_keyframe_that_keeps_every_promise(sandbox, resume):
    """Shortly before the trip the fall cannot be stopped gently any more; a little earlier it can."""
    ticks = resume_ticks(kit.scenario(), 31)
    assert ticks == (24, 12, 0)
    resumes = (*map(resume, ticks[:-1]), Resume(0))
    decision = judge(sandbox, SLOW, resumes=resumes, samples=0)
    assert decision.refusal is None
    assert decision.resume_tick == 12 and decision.bracket == (12, 24)
    flown = decision.stages[-1].facts["incident"]
    assert [(f["from_tick"], f["kept"]) for f in flown] == [(24, False), (12, True)]


def test_a_recipe_is_flown_before_the_patch_takes_over(sandbox, resume):
    """The snapshot's actions, not the patch's, bring the plant to the tick of resumption."""
    held = dataclasses.replace(kit.incident(), snapshot=Snapshot(31, "", np.full((31, 1), 5.0), ()))
    at_rest = resume(24)
    at_rest.carry.floats[0] = 2.0
    decision = judge(sandbox, SLOW, incident=held, resumes=(at_rest,), samples=0)
    assert decision.resume_tick == 24, "held at 2 m by the recipe, tick 24 is early enough"


def test_a_frozen_flight_keeps_all_memory_and_pardons_by_name(accepted, sandbox, resume):
    frozen = resume(20)
    carry = frozen.carry_for(accepted[1])
    np.testing.assert_array_equal(carry.floats, frozen.carry.floats)
    np.testing.assert_array_equal(carry.ints, frozen.carry.ints)
    decision = judge(sandbox, kit.GOOD, policy="freeze", resumes=(resume(12),), samples=0)
    assert decision.resume_tick == 12


# ---------------------------------------------------------------- refusals, stage by stage
@pytest.mark.parametrize(
    ("text", "kind", "stage", "reason", "line"),
    [
        (kit.DROPS, "file", "contract", "unchanged", None),
        ("import os\n" + kit.GOOD, "file", "syntax", "os", 1),
        (kit.GOOD.replace("<= 20.0", "<= 1e9"), "file", "ownership", "", None),
        (kit.controller(output="jnp.clip(2.0 * thrust, 0.0, 20.0)"), "parameters", "ownership", "PARAMS", None),
        (kit.controller(output="jnp.clip(thrust, 0.0, 20.0) * jnp.ones(3)"), "file", "trace", "thrust_n", None),
        (kit.controller(kp=1.0, kd=0.1, hover=3.0), "file", "flights", "mission holds|above-floor|below-ceiling", None),
        (kit.controller(output="thrust * 100.0"), "file", "flights", "violated|limits", None),
        (kit.controller(output="jnp.clip(thrust, 0.0, 20.0) * jnp.nan"), "file", "*", "", None),
    ],
)
def test_each_stage_refuses_what_is_its_own(sandbox, text, kind, stage, reason, line):
    found = refusal(judge(sandbox, text, kind, samples=0))
    assert stage in (found.stage.value, "*")
    assert re.search(reason, found.reason), found.reason
    assert line is None or found.line == line


def test_a_refused_flight_tells_the_brain_what_was_seen(sandbox):
    found = refusal(judge(sandbox, kit.controller(target=5.0), samples=0))
    assert "below-ceiling violated at tick" in found.reason
    log = found.facts["report"]["log"]
    assert set(log["signals"]) == {"altitude_m", "velocity_mps", "command.thrust_n"}
    assert log["signals"]["altitude_m"][-1] > 3.0
    assert len(log["ticks"]) == len(log["signals"]["altitude_m"]) <= 24


def test_a_margin_that_is_too_thin_is_refused(sandbox):
    found = refusal(judge(sandbox, kit.GOOD, min_robustness=5.0, samples=0))
    assert "scaled robustness" in found.reason and "must be above 5" in found.reason


def test_held_out_refusals_give_counts_only_and_two_examinations_are_all(sandbox):
    """Half of the neighbours start below the floor, so nothing passes; the nominal scenario does."""
    gate = Gate(sandbox, kit.context(spread=2.0), KeptPrograms.none())
    assert refusal(judge(sandbox, kit.controller(target=5.0), gate=gate)).facts["flight"] == "incident"
    first = refusal(judge(sandbox, kit.GOOD, gate=gate))
    assert "held-out neighbours" in first.reason
    assert set(first.facts) == {"flight", "neighbourhood", "examinations_left"}
    assert first.facts["examinations_left"] == 1, "none is spent on a patch that fails before"
    counts = first.facts["neighbourhood"]
    assert set(counts) == {
        "accepted",
        "number",
        "samples",
        "flown",
        "passed",
        "needed",
        "confidence",
        "lower_bound",
    }
    told = codec.canonical(first).decode()
    for neighbour in neighbours(kit.scenario(spread=2.0), generator(7, "i-1", kit.source(kit.GOOD).sha256, 1)):
        assert repr(neighbour.initial["altitude_m"])[:7] not in told and str(neighbour.seed) not in told
    second = refusal(judge(sandbox, kit.controller(kp=5.5), gate=gate))
    assert second.facts["examinations_left"] == 0
    third = refusal(judge(sandbox, kit.controller(kp=5.7), gate=gate))
    assert "examinations on held-out neighbours are spent" in third.reason
    assert [spent(Decision("full", False, (found,))) for found in (first, second, third)] == [1, 2, 2]


def test_a_patch_that_breaks_another_scenario_is_refused(sandbox):
    """The original hovers where it is put; the patch always climbs to 2 m, which is too high elsewhere."""
    hovers = kit.controller(kp=0.0, kd=4.0)
    low = kit.course(name="hopper/low", altitude=1.3, files=kit.assertions(ceiling="1.6 m"))
    dropped = kit.course(name="hopper/too-low", altitude=0.5)
    gate = Gate(sandbox, kit.context(original=hovers), KeptPrograms.none())
    assert gate.qualify([low, dropped]) == (low,)
    context = kit.context(original=hovers, regressions=gate.qualify([low, dropped]), samples=0)
    found = refusal(judge(sandbox, kit.GOOD, gate=Gate(sandbox, context, KeptPrograms.none())))
    assert "regression in hopper/low: below-ceiling violated" in found.reason
    off = dataclasses.replace(context.course.scenario.acceptance, regressions=False)
    course = dataclasses.replace(context.course, scenario=dataclasses.replace(context.course.scenario, acceptance=off))
    gate = Gate(sandbox, dataclasses.replace(context, course=course), KeptPrograms.none())
    assert judge(sandbox, kit.GOOD, gate=gate).accepted


def test_the_first_ten_that_pass_qualify_and_no_later_one_is_read(sandbox):
    """A course that kills its worker takes none with it."""
    fine = [kit.course(name=f"hopper/{n:02}", altitude=1.5 + n / 100) for n in range(20)]
    fatal, dropped = kit.course(name="hopper/fatal", trouble="dies"), kit.course(name="hopper/low", altitude=0.5)
    read = []

    def courses():
        for course in [fine[0], fatal, dropped, *fine[1:], *fine]:
            read.append(course.scenario.name)
            yield course

    gate = Gate(sandbox, kit.context(original=kit.controller(kp=0.0, kd=4.0)), KeptPrograms.none())
    assert gate.qualify(courses()) == tuple(fine[:10])
    assert len(read) == 16


def test_a_flight_that_cannot_be_repeated_is_refused(sandbox):
    found = refusal(judge(sandbox, kit.GOOD, trouble="unrepeatable", samples=0))
    assert "different results" in found.reason


def test_a_worker_that_dies_in_flight_refuses_the_patch_and_nothing_else(sandbox):
    found = refusal(judge(sandbox, kit.GOOD, trouble="dies", samples=0))
    assert found.stage == "flights" and "did not end well: killed by SIGABRT" in found.reason
    assert judge(sandbox, kit.GOOD, samples=0).accepted


def test_without_a_sandbox_there_is_no_decision():
    sandbox = Sandbox(workers=1)
    sandbox.close()
    with pytest.raises(SandboxFailed):
        judge(sandbox, kit.GOOD)


def test_an_acceptance_that_proves_nothing_is_an_error_of_the_scenario(sandbox):
    with pytest.raises(FileFormatError, match="use at least"):
        Gate(sandbox, kit.context(samples=10), KeptPrograms.none())


# ---------------------------------------------------------------- composition
def test_what_one_stage_does_not_refuse_the_next_sees(sandbox):
    """Stages stand in a tuple and nowhere else: without the flights, what only flights refuse is accepted."""
    context = kit.context(samples=0)
    stages = full(sandbox, context, KeptPrograms.none())
    bad = kit.proposal(kit.controller(target=5.0))
    candidate = candidate_of(bad, kit.incident(), (Resume(0),), context.original)
    assert decide("full", stages, candidate)[0].refusal.stage == "flights"
    assert decide("full", stages[:-1], candidate)[0].accepted


# ---------------------------------------------------------------- initial controllers
def test_an_initial_controller_is_admitted_or_its_line_is_named(sandbox):
    program = admit(sandbox, kit.source(kit.GOOD), kit.course(), kit.TABLE, KeptPrograms.none())
    assert program.interface.controller.contract == ("thrust-inside-its-limit",)
    wrong = kit.GOOD.replace('- obs["altitude_m"]\n', '- obs["altitude"]\n')
    with pytest.raises(SubsetError) as caught:
        admit(sandbox, kit.source(wrong), kit.course(), kit.TABLE, KeptPrograms.none())
    assert str(caught.value).startswith("hopper/hold.py:12")
    with pytest.raises(SubsetError, match=r"hopper/hold\.py"):
        wide = kit.source(kit.controller(output="thrust * jnp.ones(2)"))
        admit(sandbox, wide, kit.course(), kit.TABLE, KeptPrograms.none())
