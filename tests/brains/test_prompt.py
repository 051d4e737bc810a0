"""What a remote model reads: everything it needs, nothing it must not know."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_runtime.brains import excerpt, instruction, prompt
from healing_runtime.core import codec
from healing_runtime.core.records import RepairRequest, Sensitivity
from healing_runtime.core.status import Stage
from healing_runtime.language import vocabulary


class TestInstruction:
    def test_names_every_function_that_the_gate_allows(self):
        text = instruction.system()
        for space, names in vocabulary.FUNCTIONS.items():
            (line,) = [x for x in text.splitlines() if x.startswith(f"- {space}: ")]
            assert set(line.removeprefix(f"- {space}: ").split()) == names
        assert all(statement in text for statement in vocabulary.IMPORTS.values())
        assert "PARAMS = {...}" in text

    def test_is_ascii(self):
        assert instruction.system().isascii()


class TestRender:
    def test_holds_what_an_engineer_would_ask_for(self, ask, table):
        text = prompt.render(ask(), table)
        for piece in (
            "violated: soft_touchdown",
            "in words: Whenever the altitude is below 20 m",
            "when: tick 120 (t = 2.500 s), robustness -6",
            "- thrust_n: scalar, unit N, limits [0, 10], at most 50 per second",
            "- gyro_radps: shape (3,), components x y z, unit rad/s",
            "near = 20 m",
            "R-7: the legs take 5 m/s",
            "- mission landed: eventually altitude < 0.1 m",
            "- assertion (warning only) cool",
            "gravity_mps2 = 1.62",
            "position_m = [0, 0, 100]",
            'PARAMS = {"kp": 0.5, "descent_mps": 1.0}',
            "gyro_radps.x: 0 throughout",
            "robustness of at least 0.02 of each assertion's scale",
        ):
            assert piece in text, piece

    def test_same_bytes_after_serialisation(self, ask, table, refused):
        request = ask(attempts=(refused(),))
        again = codec.read(RepairRequest, codec.plain(request))
        assert prompt.render(request, table) == prompt.render(again, table)

    def test_log_ends_at_the_trip_tick(self, ask, table):
        flight = prompt.render(ask(), table).split("## Flight")[1]
        ticks = next(line for line in flight.splitlines() if line.startswith("tick: ")).split()[1:]
        climb = next(line for line in flight.splitlines() if line.startswith("climb_mps: ")).split()[1:]
        assert (ticks[0], ticks[-1]) == ("60", "120")
        assert len(ticks) == len(climb) <= excerpt.MAX_SAMPLES
        assert climb[-1] == "-11"
        assert "command.thrust_n: 2 2" in flight
        assert " nan" in flight

    def test_localisation_shows_the_lines(self, ask, table):
        spots = (Sensitivity("kp", 0.5, 3.25, 4), Sensitivity("descent_mps", 1.0, math.nan, 99))
        text = prompt.render(ask(localisation=spots), table)
        assert '- kp = 0.5: d robustness / d value = 3.25 (line 4: `PARAMS = {"kp": 0.5, "descent_mps": 1.0}`)' in text
        assert "(line 99: (not in the source))" in text

    def test_not_a_number(self, ask, table):
        assert "became NaN" in prompt.render(ask(robustness=math.nan), table)

    def test_without_a_signal_table(self, ask):
        assert "## Signals" not in prompt.render(ask(), None)


class TestAttempts:
    def test_stage_reason_line_and_change(self, ask, table, refused):
        text = prompt.render(ask(attempts=(refused(reason="no such signal"),)), table)
        assert "### Attempt 1 (mock, edit_kind file)\npassed: contract\nrefused at syntax: no such signal" in text
        assert "at its line 14: `assert jnp.all" in text
        assert '-PARAMS = {"kp": 0.5' in text
        assert "do not send them again" in text

    def test_counterexample_in_numbers(self, ask, table, refused):
        report = {
            "kept": False,
            "trip_tick": 333,
            "weakest": "soft_touchdown",
            "robustness": -0.4,
            "log": {"ticks": [331, 332, 333], "signals": {"altitude_m": [3.0, 2.0, 1.0]}},
        }
        bad = {
            "tick": 333,
            "violated": ["soft_touchdown"],
            "values": {"altitude_m": 1.0},
            "command": {"thrust_n": None},
        }
        facts = {"flight": "scenario", "report": report, "counterexample": bad}
        attempt = refused(stage=Stage.FLIGHTS, line=None, facts=facts)
        text = prompt.render(ask(attempts=(attempt,)), table)
        assert "first bad tick 333 (soft_touchdown): altitude_m 1\n" in text
        assert "trip_tick 333, robustness -0.4, weakest soft_touchdown" in text
        assert "tick: 331 332 333" in text
        assert "altitude_m: 3 2 1" in text

    def test_held_out_flights_as_counts_only(self, ask, table, refused):
        facts = {
            "flight": "neighbourhood",
            "neighbourhood": {
                "passed": 50,
                "flown": 58,
                "needed": 93,
                "samples": 96,
                "seeds": [424242],
                "worst": 0.777,
            },
            "examinations_left": 1,
            "report": {"trip_tick": 515151, "log": {"ticks": [515151], "signals": {"altitude_m": [616161.0]}}},
            "faults": "rotor_efficiency",
            "counterexample": {"tick": 717171, "violated": ["x"], "values": {"altitude_m": 818181.0}},
        }
        attempt = refused(stage=Stage.FLIGHTS, line=None, facts=facts)
        text = prompt.render(ask(attempts=(attempt,)), table)
        assert "counts: passed 50, flown 58, needed 93, samples 96, examinations_left 1" in text
        for secret in ("424242", "0.777", "515151", "616161", "717171", "818181", "rotor_efficiency"):
            assert secret not in text

    def test_older_attempts_are_short(self, ask, table, refused):
        text = prompt.render(ask(attempts=tuple(refused(reason=f"reason {i}") for i in range(6))), table)
        assert all(f"reason {i}" in text for i in range(6))
        assert text.count("its change:") == prompt.FULL_ATTEMPTS

    def test_size_is_bounded_whatever_comes_back(self, ask, table, refused):
        long = dataclasses.replace(refused().proposal, source="x = 1\n" * 5000, diagnosis="d" * 50_000)
        attempt = dataclasses.replace(refused(reason="r" * 50_000), proposal=long)
        assert len(prompt.render(ask(attempts=(attempt,) * 8), table)) < 40_000


class TestExcerpt:
    @given(st.integers(0, 5000))
    def test_sample_is_ascending_bounded_and_keeps_both_ends(self, length):
        chosen = excerpt.sample(length)
        assert list(chosen) == sorted(set(chosen))
        assert len(chosen) <= excerpt.MAX_SAMPLES
        assert len(chosen) == min(length, len(chosen)) and all(0 <= i < length for i in chosen)
        if length:
            assert chosen[0] == 0
            assert chosen[-excerpt.DENSE :] == tuple(range(max(0, length - excerpt.DENSE), length))

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0, "0"),
            (-0.0, "0"),
            (1 / 3, "0.3333"),
            (None, "nan"),
            (math.nan, "nan"),
            (-math.inf, "-inf"),
            (True, "True"),
        ],
    )
    def test_numbers(self, value, text):
        assert excerpt.number(value) == text

    def test_columns_of_another_length_are_left_out(self):
        assert excerpt.table([1, 2], {"a": [1.0, 2.0], "b": [1.0]}, 10) == "tick: 1 2\nt_s: 0.100 0.200\na: 1 2"
        assert excerpt.table([], {}, 10) == "(no samples)"
