"""A replay on another platform: compared by tolerance up to the first contact, and never called the same."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys

import pytest

from healing_runtime.compile.cache import VARIABLE
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.supervisor import agreement
from healing_runtime.supervisor import replay as replays
from healing_runtime.supervisor.replay import replay
from healing_runtime.supervisor.runtime import Runtime
from healing_runtime.telemetry.mcap import LogMessage
from tests.supervisor.conftest import ROOT, edit, repack
from tests.supervisor.turning import TICK, turned

SNAPSHOT = "incidents/0001-braking-distance/incident.json"


@pytest.fixture
def elsewhere(copied):
    """The run as if it had been recorded with another NumPy and another core count."""
    edit(copied, "manifest.json", lambda d: d["fingerprint"].update(numpy="1.0.0", nproc="8"), sealed=True)
    return copied


def test_on_another_platform_nothing_is_called_identical(elsewhere, verify):
    code, document = verify(elsewhere)
    assert (code, document["verified"], document["compared"]) == (0, True, "tolerance")
    assert document["same_bits"] is True and document["same_fingerprint"] is False
    assert set(document["fingerprint_differences"]) == {"numpy", "nproc"}
    assert document["fingerprint_differences"]["numpy"]["recorded"] == "1.0.0"
    assert document["tolerance"]["/sim/state:altitude_m"] == pytest.approx(10.0 * agreement.OF_SCALE)


def test_a_replay_without_verify_says_it_too(elsewhere, flown, home, monkeypatch):
    monkeypatch.setattr(replays, "_flown", lambda *_: flown)
    document = replay(elsewhere, home=home).document
    assert document["same_fingerprint"] is False and set(document["fingerprint_differences"]) == {"numpy", "nproc"}


def test_other_code_of_the_simulation_is_another_platform(copied, verify):
    edit(copied, "manifest.json", lambda d: d["robot"].update(sim_sha256="sha256:00"), sealed=True)
    code, document = verify(copied)
    assert (code, document["compared"], document["same_simulation"]) == (0, "tolerance", False)


SIGNALS = [
    ("/sim/state", "altitude_m"),
    ("/sim/sensed", "velocity_mps"),
    ("/control/cmd_applied", "thrust_n"),
    ("/assert/braking-distance", "rho_hi"),
]


@pytest.mark.parametrize(("topic", "key"), SIGNALS)
def test_a_last_digit_agrees_and_is_not_called_the_same(topic, key, elsewhere, verify):
    _, now = turned(elsewhere, topic, key, lambda v: v * (1.0 + 1e-9) + 1e-9)
    if topic == "/control/cmd_applied":  # the snapshot has it too
        edit(elsewhere, SNAPSHOT, lambda d: d["snapshot"]["recipe_actions"].__setitem__(TICK, [now]))
    code, document = verify(elsewhere)
    assert (code, document["verified"], document["same_bits"]) == (0, True, False), document["divergence"]


@pytest.mark.parametrize(("topic", "key"), SIGNALS)
def test_beyond_the_tolerance_the_first_row_is_named(topic, key, elsewhere, verify):
    turned(elsewhere, topic, key, lambda v: v * (1.0 + 1e-3) + (0.1 if topic.startswith("/control") else 1e-3))
    code, document = verify(elsewhere)
    found = document["divergence"]
    assert code == 3 and (found["tick"], found["topic"], found["signal"]) == (TICK, topic, key)


@pytest.mark.parametrize(
    ("change", "signal", "tick"),
    [
        (lambda d: d.update(assertion="soft-landing"), "assertion", None),
        (lambda d: d["snapshot"].update(tick=20), "snapshot.tick", None),
        (lambda d: d["snapshot"].update(state_hash="0" * 64), "snapshot.state_hash", None),
        (lambda d: d["snapshot"]["recipe_actions"].__setitem__(4, [1e-7]), "thrust_n", 4),
    ],
)
def test_an_incident_that_the_log_has_otherwise_is_found(change, signal, tick, elsewhere, verify):
    edit(elsewhere, SNAPSHOT, change)
    code, document = verify(elsewhere)
    found = document["divergence"]
    assert code == 3 and (found["signal"], found["tick"]) == (signal, tick) and "the log has" in found["what"]


def test_a_value_that_is_gone_agrees_with_nothing(elsewhere, verify):
    turned(elsewhere, "/sim/sensed", "altitude_m", lambda _: None)
    code, document = verify(elsewhere)
    assert code == 3 and document["divergence"]["recorded"] is None


def test_an_incident_a_tick_later_is_found(elsewhere, verify):
    def later(messages):
        for message in messages:
            if message.topic == "/event" and message.content["event"] == "incident":
                message.content["tick"] += 1

    repack(elsewhere, later)
    assert verify(elsewhere)[0] == 3


def touched(folder, tick):
    def change(messages):
        for message in messages:
            if message.topic == "/sim/state" and message.content["tick"] >= tick:
                message.content["values"]["contact"] = 1.0

    repack(folder, change)


def test_after_contact_the_outcome_is_compared_and_nothing_else(elsewhere, verify):
    touched(elsewhere, 10)
    turned(elsewhere, "/sim/state", "altitude_m", lambda v: v + 1.0)
    code, document = verify(elsewhere)
    assert code == 0 and document["contact"] == {"tick": 10, "t_s": 1.0}
    assert 0 < document["rows_within_tolerance"] < document["messages"]
    edit(elsewhere, "result.json", lambda d: d["assertions"][0].update(status="false"))
    code, document = verify(elsewhere)
    assert code == 3 and document["divergence"]["signal"].endswith(".status")


def test_a_heading_on_the_other_side_of_the_turn_agrees():
    table = SignalTable(Layout(()), Layout(()), Layout((Signal("yaw", "rad", scale=math.pi),)))
    tolerance = agreement.Tolerance(table, {})

    def row(yaw):
        return LogMessage("/sim/state", 0, b'{"tick":0,"values":{"yaw_rad":%r}}' % yaw)

    assert tolerance.difference(row(math.pi - 1e-9), row(-math.pi)) is None
    assert tolerance.difference(row(math.pi - 1e-3), row(-math.pi)) is not None


OTHER_INSTRUCTIONS = """
import json, sys
from healing_runtime import workspace
from healing_runtime.supervisor.replay import replay
from healing_runtime.supervisor.runtime import Runtime
result = replay(sys.argv[1], verify=True, home=workspace.open(sys.argv[2]))
print(json.dumps([result.exit_code, result.document]))
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the flag is of this family of processors")
def test_other_instructions_give_other_bits_that_agree(home, tmp_path):
    """XLA without fused multiply-add: really other numbers, in a landing with contact."""
    run = Runtime("quadrotor/landing", brain="none", workspace=home, out=tmp_path).run()
    flags = {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2", "PYTHONPATH": str(ROOT), VARIABLE: "off"}
    command = [sys.executable, "-c", OTHER_INSTRUCTIONS, str(run.folder), str(ROOT)]
    done = subprocess.run(command, env={**os.environ, **flags}, capture_output=True, text=True, check=True)
    code, document = json.loads(done.stdout)
    assert code == 0, document["divergence"]
    assert document["same_bits"] is False and "xla_flags" in document["fingerprint_differences"]
    assert document["contact"]["tick"] > 200 and document["rows_within_tolerance"] > 1000
