"""A Ctrl-C that meets a finaliser, where Python drops exceptions, or an import that fails by it, ends the program."""

import subprocess
import sys
import time

import pytest

from healing_runtime.app import flights
from healing_runtime.cli import main

PROGRAM = """
import time
from healing_runtime.cli import interrupt
class Finalised:
    def __del__(self):
        raise KeyboardInterrupt
{insist}
try:
    Finalised()
    time.sleep({patience_s})
    print("flew on")
except KeyboardInterrupt:
    print("stopped")
"""


def said(insist: str, patience_s: float) -> tuple[str, str]:
    program = PROGRAM.format(insist=insist, patience_s=patience_s)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    return done.stdout.strip(), done.stderr


def test_a_dropped_interrupt_comes_again_and_says_nothing():
    started = time.monotonic()
    assert said("interrupt.insist()", 30.0) == ("stopped", "")
    assert time.monotonic() - started < 20.0, "it waited for the end of the sleep"


def test_python_alone_drops_it():
    assert said("", 0.3)[0] == "flew on"


def test_other_dropped_exceptions_are_still_told():
    program = (
        "from healing_runtime.cli import interrupt\ninterrupt.insist()\n"
        "class F:\n    def __del__(self): raise ValueError('told')\nF()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "told" in done.stderr


def test_what_fails_by_an_interrupt_is_an_interrupt():
    """In the middle of an import a `KeyboardInterrupt` can come out as an `ImportError`."""
    program = """
import os, signal, sys
import typer
from healing_runtime.cli import interrupt, main
def command():
    if {interrupted}:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            pass
    raise ImportError("half of a module")
program = typer.Typer(pretty_exceptions_enable=False)
program.command()(command)
main.build = lambda: program
interrupt.insist()
sys.exit(main.execute([]))
"""
    cases = (True, 130, "heal: interrupted."), (False, 4, "this is a bug in heal: ImportError")
    for interrupted, code, words in cases:
        command = [sys.executable, "-c", program.format(interrupted=interrupted)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == code and words in done.stderr, done.stderr
        assert ("Traceback" in done.stderr) is not interrupted


@pytest.mark.parametrize(
    ("note", "line"),
    [("The record lies in r; go on.", "interrupted. The record lies in r; go on."), ("", "interrupted.")],
)
def test_heal_run_says_what_the_interrupt_was_given_to_say(note, line, monkeypatch, capsys):
    def pressed(*_, **__):
        error = KeyboardInterrupt()
        if note:
            error.add_note(note)
        raise error

    monkeypatch.setattr(flights, "run", pressed)
    assert main.execute(["run", "lander/neuro_lander"]) == 130
    assert capsys.readouterr().err == f"heal: {line}\n"
