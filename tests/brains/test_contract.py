"""Every brain of the catalogue passes one suite; a new kind without an entry in `MAKERS` fails here."""

from __future__ import annotations

import dataclasses

import pytest

from healing_runtime.brains import catalogue
from healing_runtime.brains.brain import check
from healing_runtime.brains.cassette import Cassette
from healing_runtime.core import codec
from healing_runtime.core.records import Proposal
from healing_runtime.sandbox.messages import Message

GOOD = Proposal("the gain is too small", "parameters", "PARAMS = {}\n", ("dry legs",))


class OneAnswer:
    """A sandbox whose worker always finds the same patch."""

    def run(self, job):
        codec.canonical(job.message.header)  # what crosses to a worker is JSON
        return Message({"proposals": [codec.plain(GOOD)], "story": []})


def _mock(tmp_path, gemini, patch, ask):
    (tmp_path / "s.yaml").write_text("answers:\n  - source: x\n")
    return f"mock:{tmp_path / 's.yaml'}"


def _cassette(tmp_path, gemini, patch, ask):
    Cassette(tmp_path / "t.jsonl", must_exist=False).record("mock", ask(), (GOOD, GOOD))
    return f"cassette:{tmp_path / 't.jsonl'}"


def _gemini(tmp_path, gemini, patch, ask):
    gemini.says(patch())
    return "gemini"


MAKERS = {"embedded": lambda *_: "embedded", "gemini": _gemini, "mock": _mock, "cassette": _cassette}


@pytest.mark.parametrize("kind", catalogue.kinds())
def test_keeps_the_contract(kind, tmp_path, gemini, patch, ask, context, refused):
    spec = MAKERS[kind](tmp_path, gemini, patch, ask)
    context = dataclasses.replace(context, sandbox=OneAnswer(), sim_root=tmp_path)
    assert check(catalogue.make(spec, context), ask()) == ()


class Broken:
    """A brain with one thing wrong."""

    def __init__(self, name="broken", answer=(GOOD,)):
        self.name, self.answer = name, answer

    def propose(self, request):
        return self.answer(request) if callable(self.answer) else self.answer

    def close(self):
        return


def _meddle(request):
    request.log["altitude_m"] = ()
    return (GOOD,)


@pytest.mark.parametrize(
    ("brain", "said"),
    [
        (object(), "a brain has a `name`"),
        (Broken(name="My Brain"), "does not read"),
        (Broken(answer=[GOOD]), "returned list"),
        (Broken(answer=("text",)), "str is not a Proposal"),
        (Broken(answer=(dataclasses.replace(GOOD, edit_kind="patch"),)), "edit_kind 'patch'"),
        (Broken(answer=(dataclasses.replace(GOOD, source=" "),)), "the source is empty"),
        (Broken(answer=(dataclasses.replace(GOOD, source="\ud800"),)), "not valid Unicode"),
        (Broken(answer=(dataclasses.replace(GOOD, diagnosis=""),)), "the diagnosis is empty"),
        (Broken(answer=(dataclasses.replace(GOOD, changed_assumptions=["a"]),)), "not a tuple of text"),
        (Broken(answer=_meddle), "the request was changed"),
    ],
)
def test_the_suite_finds_what_is_broken(brain, said, ask):
    assert any(said in fault for fault in check(brain, ask()))
