"""The report of the whole corpus: nothing gets out. And that it would say so if something did."""

from __future__ import annotations

import os

import canary
import pytest
import report

from healing_runtime.sandbox.zygote import Job, Limits, Message, Sandbox


def judged(part):
    said = []
    faults = report.report(part, said.append)
    return faults, "\n".join(said)


def test_a_part_of_the_corpus_gets_nowhere():
    faults, said = judged((5, 60))
    assert faults == 0, said
    for what in ("escapes", "supervisor deaths", "files outside scratch", "keys seen", "over the limit"):
        assert f"\n{what}: 0" in said


@pytest.mark.slow
def test_the_whole_corpus_gets_nowhere():
    faults, said = judged((0, 1))
    assert faults == 0, said


def test_what_gets_through_is_told(monkeypatch):
    """Here a source is accepted, one is refused elsewhere and too late, and the supervisor dies at a third."""
    names = [case.name for case in report.cases("scratch")][:3]
    late = {"name": names[1], "told": ["flights", "no"], "took_s": 999.0, "zygote_lives": False}
    lines = [{"name": names[0], "told": None, "took_s": 1.0, "zygote_lives": True}, late]
    monkeypatch.setattr(report, "cases", lambda scratch, every=report.cases: every(scratch)[:3])
    monkeypatch.setattr(report, "_watched", lambda scratch, wanted: (lines, [names[2]]))
    faults, said = judged((0, 1))
    for what, name in (("escapes", 0), ("refused elsewhere", 1), ("over the limit", 1), ("supervisor deaths", 2)):
        assert f"{what}: 1 ({names[name]})" in said
    assert "never judged: 1" in said and "nobody looked" in said and faults == 7


def test_a_secret_in_reach_is_seen(tmp_path, monkeypatch):
    secret = report._secret()
    (tmp_path / "keys.txt").write_text(secret)
    monkeypatch.setenv("LANG", secret)  # one of the few that are handed on
    header = {"processes": [os.getpid()], "files": [str(tmp_path / "keys.txt")]}
    with Sandbox(1, modules=("canary",), path=[report.HERE]) as sandbox:
        found = sandbox.run(Job("canary:look", Message(header), Limits().reading(tmp_path))).header["found"]
    assert found == sorted([str(tmp_path / "keys.txt"), "/proc/self/environ", "memory", "os.environ"])
    assert not canary.SECRET.search(canary.SECRET.pattern)
