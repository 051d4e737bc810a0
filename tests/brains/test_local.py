"""Brains that play files: scripts and cassettes; and the catalogue that makes every brain."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from healing_runtime.brains import catalogue
from healing_runtime.brains.brain import BrainContext
from healing_runtime.brains.cassette import Cassette, CassetteBrain
from healing_runtime.brains.mock import MockBrain
from healing_runtime.core.errors import BrainUnavailable, FileFormatError, InputError
from healing_runtime.core.records import Proposal

SCRIPT = """\
answers:
  - diagnosis: too slow
    edit_kind: parameters
    source: |
      one
  - source_file: two.py
    assertion: soft_touchdown
  - unavailable: the line is down
    assertion: soft_touchdown
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "two.py").write_text("two\n")
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT)
    return path


class TestMock:
    def test_plays_by_attempt_without_a_count_of_its_own(self, script, ask, refused):
        brain = MockBrain.from_file(script)
        attempt = refused(brain.name)
        assert brain.propose(ask())[0] == Proposal("too slow", "parameters", "one\n")
        assert brain.propose(ask())[0].source == "one\n"
        assert brain.propose(ask(attempts=(attempt,)))[0].source == "two\n"
        with pytest.raises(BrainUnavailable, match="the line is down"):
            brain.propose(ask(attempts=(attempt, attempt)))
        assert brain.propose(ask(attempts=(attempt,) * 3)) == ()

    def test_answers_for_an_assertion_stay_with_it(self, script, ask, refused):
        brain = MockBrain.from_file(script)
        other = ask(assertion="tilt", attempts=(refused(brain.name),))
        assert brain.propose(other) == ()

    def test_attempts_of_other_brains_do_not_count(self, script, ask, refused):
        assert MockBrain.from_file(script).propose(ask(attempts=(refused("embedded"),)))[0].source == "one\n"

    def test_json_is_read_too(self, tmp_path, ask):
        path = tmp_path / "s.json"
        path.write_text(json.dumps({"answers": [{"source": "x"}]}))
        assert MockBrain.from_file(path).propose(ask())[0].source == "x"

    @pytest.mark.parametrize(
        ("text", "where", "what"),
        [
            ("answers:\n  - sauce: x\n", ":2:5", "unknown key 'sauce'"),
            ("answers:\n  - source: x\n    edit_kind: patch\n", ":3:16", "edit_kind"),
            ("answers:\n  - source: x\n    source_file: two.py\n", ":2", "exactly one"),
            ("answers: [", ":", "not valid YAML"),
            ("- a\n", ":1:1", "mapping"),
        ],
    )
    def test_mistakes_in_the_file_are_found_in_place(self, tmp_path, text, where, what):
        path = tmp_path / "bad.yaml"
        path.write_text(text)
        with pytest.raises(FileFormatError, match=what) as caught:
            MockBrain.from_file(path)
        assert f"bad.yaml{where}" in str(caught.value)

    def test_files_that_are_not_there(self, tmp_path):
        with pytest.raises(InputError, match=r"none\.yaml"):
            MockBrain.from_file(tmp_path / "none.yaml")
        (tmp_path / "s.yaml").write_text("answers:\n  - source_file: gone.py\n")
        with pytest.raises(InputError, match=r"gone\.py"):
            MockBrain.from_file(tmp_path / "s.yaml")


class TestCassette:
    def test_records_and_plays_back(self, tmp_path, script, ask, refused):
        path = tmp_path / "tapes" / "a.jsonl"
        recording = CassetteBrain(Cassette(path, must_exist=False), MockBrain.from_file(script))
        second = ask(attempts=(refused("mock:script"),))
        said = [recording.propose(ask()), recording.propose(second)]
        playing = CassetteBrain(Cassette(path))
        assert [playing.propose(ask()), playing.propose(second)] == said
        assert [json.loads(line)["brain"] for line in path.read_text().splitlines()] == ["mock:script"] * 2

    def test_finds_the_answer_by_the_question_not_by_measured_numbers(self, tmp_path, script, ask, refused):
        path = tmp_path / "a.jsonl"
        CassetteBrain(Cassette(path, must_exist=False), MockBrain.from_file(script)).propose(ask())
        playing = CassetteBrain(Cassette(path))
        assert playing.propose(ask(robustness=-6.000001, trip_tick=121, seed=9, log={}, log_ticks=()))
        with pytest.raises(BrainUnavailable, match="no answer for attempt 2 at 'soft_touchdown'"):
            playing.propose(ask(attempts=(refused(),)))
        with pytest.raises(BrainUnavailable):
            playing.propose(ask(source="another"))

    def test_the_same_question_again_gets_the_next_answer_then_the_last(self, tmp_path, ask):
        cassette = Cassette(tmp_path / "a.jsonl", must_exist=False)
        tapes = [(Proposal("d", "file", text),) for text in ("one", "two")]
        for tape in tapes:
            cassette.record("mock", ask(), tape)
        playing = Cassette(tmp_path / "a.jsonl")
        assert [playing.play(ask()) for _ in range(3)] == [*tapes, tapes[1]]

    def test_nothing_offered_is_an_answer(self, tmp_path, ask):
        Cassette(tmp_path / "a.jsonl", must_exist=False).record("mock", ask(), ())
        assert CassetteBrain(Cassette(tmp_path / "a.jsonl")).propose(ask()) == ()

    def test_failures_of_the_inner_brain_are_not_recorded(self, tmp_path, ask, script, refused):
        path = tmp_path / "a.jsonl"
        brain = CassetteBrain(Cassette(path, must_exist=False), MockBrain.from_file(script))
        with pytest.raises(BrainUnavailable, match="the line is down"):
            brain.propose(ask(attempts=(refused("mock:script"),) * 2))
        assert not path.exists()

    def test_broken_lines_are_named(self, tmp_path, ask):
        path = tmp_path / "a.jsonl"
        Cassette(path, must_exist=False).record("mock", ask(), ())
        path.write_text(path.read_text() + '{"format": "healing-cassette-1", "brain": "m"}\n')
        with pytest.raises(FileFormatError, match=r"a\.jsonl:2.*key"):
            Cassette(path)

    def test_missing_file(self, tmp_path):
        with pytest.raises(InputError, match=r"record one with cassette:FILE=BRAIN"):
            Cassette(tmp_path / "none.jsonl")


class TestCatalogue:
    @pytest.mark.parametrize(
        ("spec", "read"),
        [
            ("embedded", ("embedded", "")),
            ("gemini", ("gemini", "")),
            ("gemini:gemini-9", ("gemini", "gemini-9")),
            ("gemini-9-pro", ("gemini", "gemini-9-pro")),
            ("cassette:a/b.jsonl", ("cassette", "a/b.jsonl")),
            ("cassette:a.jsonl=gemini:gemini-9", ("cassette", "a.jsonl=gemini:gemini-9")),
            ("mock:s.yaml", ("mock", "s.yaml")),
        ],
    )
    def test_reads_specifications(self, spec, read):
        assert catalogue.parse(spec) == read

    @pytest.mark.parametrize(
        ("spec", "said"),
        [
            ("gemni", "Did you mean 'gemini'"),
            ("embeded", "Did you mean 'embedded'"),
            ("openai:gpt", "Brains: embedded, gemini"),
            ("", "Brains: embedded"),
            ("embedded:large", "takes no argument"),
            ("gemini:", "gemini\\[:MODEL\\]"),
            ("mock", "write 'mock:FILE'"),
            ("cassette:", "write 'cassette:FILE"),
            ("cassette:=gemini", "write 'cassette:FILE"),
            ("cassette:a=cassette:b", "no cassette"),
            ("cassette:a=gemni", "Did you mean 'gemini'"),
        ],
    )
    def test_refuses_in_words(self, spec, said):
        with pytest.raises(InputError, match=said):
            catalogue.parse(spec)

    def test_check_reads_files_and_asks_nobody(self, tmp_path, script, monkeypatch):
        monkeypatch.delenv("GEMINI_API_KEY", raising=False)
        for spec in ("none", "embedded", "gemini", f"mock:{script}", f"cassette:{tmp_path / 'new.jsonl'}=gemini"):
            catalogue.check(spec)
        assert not (tmp_path / "new.jsonl").exists()
        with pytest.raises(InputError):
            catalogue.check(f"mock:{tmp_path / 'none.yaml'}")
        with pytest.raises(InputError, match="not the name of a model"):
            catalogue.check("gemini:a/b")

    def test_makes_what_it_says(self, script, tmp_path):
        context = BrainContext()
        assert catalogue.make(f"mock:{script}", context).name == "mock:script"
        assert catalogue.make("gemini", context).name == "gemini:gemini-3-pro-preview"
        assert catalogue.make("embedded", context).name == "embedded"
        assert catalogue.make(f"cassette:{tmp_path / 't.jsonl'}=embedded", context).name == "cassette:t"

    def test_context_is_frozen(self, context):
        with pytest.raises(dataclasses.FrozenInstanceError):
            context.seed = 1
