"""Gemini over real HTTP: an endpoint on this machine that speaks the REST form."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
import traceback

import pytest

from healing_runtime.brains.brain import check
from healing_runtime.brains.catalogue import make
from healing_runtime.brains.gemini import GeminiBrain, GeminiSettings
from healing_runtime.brains.gemini_wire import WireSettings
from healing_runtime.core import codec
from healing_runtime.core.errors import BrainUnavailable, InputError

FAST = GeminiSettings(wire=WireSettings(first_delay_s=0.02, max_delay_s=0.05))


@pytest.fixture
def brain(gemini, context) -> GeminiBrain:
    return GeminiBrain(context, FAST)


def unavailable(brain, request) -> BrainUnavailable:
    with pytest.raises(BrainUnavailable) as caught:
        brain.propose(request)
    return caught.value


class TestGoodAnswer:
    def test_becomes_a_proposal(self, brain, gemini, ask, patch):
        gemini.says(patch(changed_assumptions=["the legs are dry"]), thought="let me think")
        (proposal,) = brain.propose(ask())
        assert proposal.edit_kind == "parameters"
        assert '"kp": 5.0' in proposal.source
        assert proposal.changed_assumptions == ("the legs are dry",)

    def test_what_goes_over_the_wire(self, gemini, context, ask, patch, key):
        gemini.says(patch())
        make("gemini-9-test", context).propose(ask())
        (asked,) = gemini.asked
        assert asked.path == "/v1beta/models/gemini-9-test:generateContent"
        assert {k.lower(): v for k, v in asked.headers.items()}["x-goog-api-key"] == key
        generation = asked.body["generationConfig"]
        assert generation["responseMimeType"] == "application/json"
        assert generation["responseJsonSchema"]["required"] == [
            "diagnosis", "edit_kind", "source", "changed_assumptions",
        ]  # fmt: skip
        assert generation["seed"] == 7
        assert "TensorLang" in asked.body["systemInstruction"]["parts"][0]["text"]
        assert "soft_touchdown" in asked.texts[0]

    def test_passes_the_conformance_suite(self, brain, gemini, ask, patch):
        gemini.says(patch())
        assert check(brain, ask()) == ()

    def test_usage_and_exchange_are_recorded(self, brain, gemini, ask, patch, notes):
        gemini.says(patch())
        brain.propose(ask())
        (exchange,) = notes.exchanges
        assert exchange.outcome == "answered"
        assert exchange.answer == patch()
        assert exchange.prompt == gemini.asked[0].texts[0]
        assert (exchange.usage.total_tokens, exchange.usage.thought_tokens, exchange.usage.calls) == (125, 5, 1)
        assert brain.usage == exchange.usage
        assert json.loads(codec.canonical(exchange))["incident_id"] == "i1"

    def test_says_once_what_it_sends(self, brain, gemini, ask, patch, notes):
        for _ in range(2):
            gemini.says(patch())
            brain.propose(ask())
        assert len(notes.told) == 1
        assert "127.0.0.1, unencrypted" in notes.told[0]
        assert "controller's source" in notes.told[0]

    def test_works_under_a_running_event_loop(self, brain, gemini, ask, patch):
        import asyncio

        async def notebook():
            return brain.propose(ask())

        gemini.says(patch())
        assert len(asyncio.run(notebook())) == 1


class TestFeedback:
    @pytest.mark.parametrize(
        ("bad", "said"),
        [
            ('{"diagnosis": "x", "edit_kind": "patch", "source": "y", "changed_assumptions": []}', "edit_kind"),
            ('```json\n{"diagnosis": "x"}\n```', "Invalid JSON"),
            ('{"diagnosis": "x", "edit_kind"', "Invalid JSON"),
            ('{"diagnosis": "x"}', "source: Field required"),
            ("", "Invalid JSON"),
        ],
    )
    def test_malformed_answer_is_fed_back_and_mended(self, brain, gemini, ask, patch, notes, bad, said):
        gemini.says(bad)
        gemini.says(patch())
        assert len(brain.propose(ask())) == 1
        last = gemini.asked[1].texts
        assert last[0] == gemini.asked[0].texts[0]
        assert last[1] == bad
        assert said in last[2]
        assert [e.outcome for e in notes.exchanges] == ["malformed", "answered"]
        assert brain.usage.total_tokens == 250

    def test_only_once(self, brain, gemini, ask, patch):
        gemini.says("nonsense")
        gemini.says('{"diagnosis": 3}')
        gemini.says(patch())
        error = unavailable(brain, ask())
        assert "outside the schema" in str(error)
        assert "diagnosis" in str(error)
        assert len(gemini.asked) == 2

    def test_refused_patch_comes_back_in_the_next_prompt(self, brain, gemini, ask, patch, refused):
        gemini.says(patch(diagnosis="first idea"))
        (first,) = brain.propose(ask())
        gemini.says(patch(diagnosis="second idea"))
        attempt = dataclasses.replace(
            refused(brain.name, "thrust reaches 14 N, above its limit of 10 N"), proposal=first
        )
        (second,) = brain.propose(ask(attempts=(attempt,)))
        assert second.diagnosis == "second idea"
        prompt = gemini.asked[1].texts[0]
        assert "thrust reaches 14 N, above its limit of 10 N" in prompt
        assert "refused at syntax" in prompt
        assert "first idea" in prompt
        assert '+PARAMS = {"kp": 5.0, "descent_mps": 1.0}' in prompt


class TestRetries:
    def test_429_and_500_then_success(self, brain, gemini, ask, patch, notes):
        gemini.fails(429, "slow down", "RESOURCE_EXHAUSTED")
        gemini.fails(500, "oops", "INTERNAL")
        gemini.says(patch())
        assert len(brain.propose(ask())) == 1
        assert notes.exchanges[0].usage.calls == 3

    def test_are_bounded(self, brain, gemini, ask):
        for _ in range(9):
            gemini.fails(503, "overloaded", "UNAVAILABLE")
        error = unavailable(brain, ask())
        assert "HTTP 503 UNAVAILABLE: overloaded" in str(error)
        assert "after 4 calls" in str(error)
        assert len(gemini.asked) == 4

    @pytest.mark.parametrize(
        "asked",
        [
            {"retry_after": "0.4"},
            {"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.4s"}]},
        ],
    )
    def test_wait_as_long_as_the_server_asks(self, brain, gemini, ask, patch, asked):
        gemini.fails(429, "slow down", **asked)
        gemini.says(patch())
        brain.propose(ask())
        assert gemini.asked[1].at_s - gemini.asked[0].at_s >= 0.4

    def test_give_up_at_once_when_the_wait_is_longer_than_the_deadline(self, brain, gemini, ask):
        gemini.fails(429, "daily quota", retry_after="3600")
        started = time.monotonic()
        assert "daily quota" in str(unavailable(brain, ask()))
        assert time.monotonic() - started < 5.0

    @pytest.mark.parametrize(
        ("status", "message", "hint"),
        [
            (400, "API key not valid. Please pass a valid API key.", "Check GEMINI_API_KEY"),
            (403, "denied", "Check GEMINI_API_KEY"),
            (404, "no such model", "--brain gemini:MODEL"),
            (400, "schema too deep", "schema too deep"),
        ],
    )
    def test_other_errors_are_final_and_say_what_to_do(self, brain, gemini, ask, status, message, hint):
        gemini.fails(status, message)
        assert hint in str(unavailable(brain, ask()))
        assert len(gemini.asked) == 1

    def test_nobody_listens(self, gemini, context, ask, monkeypatch):
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
        assert "no connection" in str(unavailable(GeminiBrain(context, FAST), ask()))

    def test_redirects_are_not_followed_with_the_key(self, brain, gemini, ask):
        gemini.sends({}, 307, location=gemini.url + "/elsewhere")
        assert "redirect" in str(unavailable(brain, ask()))
        assert len(gemini.asked) == 1


class TestEndings:
    def test_blocked_prompt(self, brain, gemini, ask, notes):
        gemini.sends({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"totalTokenCount": 90}})
        assert "the prompt was blocked (SAFETY)" in str(unavailable(brain, ask()))
        assert notes.exchanges[0].outcome == "blocked"
        assert notes.exchanges[0].usage.total_tokens == 90

    def test_blocked_answer(self, brain, gemini, ask):
        gemini.says("", finish="SAFETY")
        assert "the answer was blocked (SAFETY)" in str(unavailable(brain, ask()))

    def test_cut_off(self, brain, gemini, ask, notes):
        gemini.says('{"diagnosis": "x", "sour', finish="MAX_TOKENS")
        assert "MAX_TOKENS" in str(unavailable(brain, ask()))
        assert notes.exchanges[0].outcome == "truncated"
        assert len(gemini.asked) == 1

    def test_cut_off_before_any_text(self, brain, gemini, ask):
        gemini.sends({"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}]})
        assert "MAX_TOKENS" in str(unavailable(brain, ask()))

    @pytest.mark.parametrize("body", [b"<html>welcome</html>", b"[1, 2]", b'{"candidates": 3}', b"{}"])
    def test_answers_that_are_not_the_api(self, brain, gemini, ask, body):
        gemini.sends(body)
        assert str(unavailable(brain, ask())).startswith("gemini:")
        assert len(gemini.asked) == 1

    def test_dripping_server_meets_the_deadline(self, gemini, context, ask, patch, notes):
        gemini.says(patch(), drip_s=0.05)
        brain = GeminiBrain(dataclasses.replace(context, deadline_s=0.6), FAST)
        started = time.monotonic()
        error = unavailable(brain, ask())
        assert time.monotonic() - started < 1.5
        assert "deadline" in str(error)
        assert notes.exchanges[0].outcome == "failed"

    def test_token_budget(self, gemini, context, ask, patch):
        brain = GeminiBrain(context, dataclasses.replace(FAST, token_budget=125))
        gemini.says(patch())
        brain.propose(ask())
        assert "budget is 125" in str(unavailable(brain, ask()))
        assert len(gemini.asked) == 1


class TestKey:
    @pytest.mark.parametrize("value", [None, "", "  "])
    def test_missing(self, brain, ask, monkeypatch, value):
        if value is None:
            monkeypatch.delenv("GEMINI_API_KEY")
        else:
            monkeypatch.setenv("GEMINI_API_KEY", value)
        error = unavailable(brain, ask())
        assert "GEMINI_API_KEY" in str(error)
        assert error.exit_code == 4

    def test_only_from_its_variable(self, brain, ask, monkeypatch):
        monkeypatch.setenv("GOOGLE_API_KEY", "another")
        monkeypatch.delenv("GEMINI_API_KEY")
        assert "GEMINI_API_KEY" in str(unavailable(brain, ask()))

    def test_impossible_key_is_not_repeated(self, brain, ask, monkeypatch):
        monkeypatch.setenv("GEMINI_API_KEY", "schlüssel")
        assert "schl" not in str(unavailable(brain, ask()))

    def test_appears_nowhere(self, brain, gemini, ask, patch, key, notes, caplog):
        caplog.set_level(logging.DEBUG)
        gemini.fails(500, f"the key {key} broke the server")
        gemini.says(f"your key is {key}")
        gemini.fails(400, f"API key not valid: {key}", details=[{"key": key}])
        error = unavailable(brain, ask())
        assert "API key not valid: [key]" in str(error)
        frames = [
            repr(f.f_locals) for f, _ in traceback.walk_tb(error.__traceback__) if "test_" not in f.f_code.co_name
        ]
        said = ["".join(traceback.format_exception(error)), caplog.text, *notes.told, *map(repr, notes.exchanges)]
        chain = [repr(e) for e in (error.__cause__, error.__context__) if e is not None]
        assert not [text for text in (*frames, *said, *chain, repr(vars(brain))) if key in text]
        assert [e.outcome for e in notes.exchanges] == ["malformed", "failed"]

    def test_base_url_must_be_an_address(self, brain, ask, monkeypatch):
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "ftp://somewhere")
        assert "GOOGLE_GEMINI_BASE_URL" in str(unavailable(brain, ask()))


@pytest.mark.parametrize("model", ["../secrets", "a b", "x?key=1", ""])
def test_model_names_stay_in_their_place_of_the_address(model):
    with pytest.raises(InputError, match="not the name of a model"):
        GeminiSettings(model=model)
