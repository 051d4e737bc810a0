"""Progress: lines where nobody watches, a bar where somebody does."""

from __future__ import annotations

import io

import pytest

from healing_runtime.telemetry import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_plain_lines_elsewhere():
    stream = io.StringIO()
    with progress.for_stream(stream) as shown:
        shown.phase("compiling")
        shown.advance(0.5, "too soon to be shown")
        shown.phase("flying")
    assert stream.getvalue() == "compiling\nflying\n"


def test_lines_go_on_when_time_passes(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    lines = progress.Lines(stream)
    lines.phase("flying")
    now[0] += 3.0
    lines.advance(0.25, "t = 3 s")
    lines.advance(0.26, "t = 3.1 s")
    assert stream.getvalue() == "flying\n 25 %  t = 3 s\n"


def test_a_bar_on_a_terminal():
    stream = Terminal()
    with progress.for_stream(stream) as shown:
        shown.phase("asking [embedded]")
        shown.advance(0.5, "half [way]")
    assert "asking [embedded]" in stream.getvalue()


def test_a_closed_stream_does_not_end_the_work():
    stream = io.StringIO()
    lines = progress.Lines(stream)
    stream.close()
    lines.phase("still flying")


@pytest.mark.parametrize(("fraction", "text"), [(-1.0, "  0 %"), (0.5, " 50 %"), (2.0, "100 %")])
def test_fractions_are_clamped(fraction, text):
    stream = io.StringIO()
    progress.Lines(stream).advance(fraction)
    assert stream.getvalue() == text + "\n"


def test_silence(capsys):
    shown = progress.Silent()
    shown.phase("a")
    shown.advance(1.0, "b")
    assert capsys.readouterr() == ("", "")
