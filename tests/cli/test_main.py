"""The command line: help, one line a mistake, one document for machines, exit codes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from healing_runtime import __version__
from healing_runtime.cli import main, output
from healing_runtime.core.errors import (
    BrainUnavailable,
    InputError,
    Location,
    RecordError,
    ReplayDivergence,
    SubsetError,
)


def walk(command, path=()):
    """Every command and group of the program as the words that call it."""
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield [*path, name], bool(getattr(inner, "commands", {}))
        yield from walk(inner, (*path, name))


FOUND = list(walk(typer.main.get_command(main.build())))
COMMANDS = [words for words, _ in FOUND]
LEAVES = [words for words, group in FOUND if not group]
ROOT = Path(__file__).parents[2]
NOT_BUILT = ["campaign", "immunise", "report", "optimise", "schema", "runs"]


def broken_by(error: BaseException):
    """A command line program whose only command raises."""

    def build():
        def program(arguments, **_):
            raise error

        return program

    return build


@pytest.mark.parametrize("command", [[], *COMMANDS], ids=" ".join)
def test_every_command_has_help_with_an_example(command, capsys):
    assert main.execute([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"Example: heal " + " ".join(command[:1]), text)
    cut_off = [line for line in text.splitlines()[1:] if line.endswith("...")]
    assert not cut_off


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_every_command_speaks_json(command, capsys):
    main.execute([*command, "--help"])
    assert "--json" in capsys.readouterr().out


def test_the_commands_are_those_that_are_promised():
    assert {words[0] for words in COMMANDS} == {
        "run",
        "replay",
        "check",
        "assertions",
        "incidents",
        "patches",
        "init",
        "catalogue",
        "doctor",
        "bench",
    }


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_every_command_is_run_in_the_guide(command):
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md")) + (ROOT / "README.md").read_text()
    assert f"heal {' '.join(command)}" in pages


def test_what_is_not_built_does_not_appear(capsys):
    main.execute(["--help"])
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if re.match(r"  [a-z]", line)}
    assert not listed & set(NOT_BUILT)


def test_version(capsys):
    assert main.execute(["--version"]) == 0
    assert capsys.readouterr().out == f"heal {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rum"], "No such command 'rum'. Did you mean 'run'?"),
        (["run"], "name a scenario to fly, or a run to go on with"),
        (["replay"], "Missing argument"),
        (["run", "x", "--sed", "1"], "No such option"),
        (["run", "x", "--seed", "one"], "Invalid value for '--seed'"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_exit_2(arguments, words, capsys):
    assert main.execute(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith("heal: ") and words in captured.err


@pytest.mark.parametrize("arguments", [[], ["patches"]], ids=["heal", "heal patches"])
def test_without_a_command_the_help_is_shown_as_it_is(arguments, capsys):
    assert main.execute(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("Usage: heal") and len(captured.err.splitlines()) > 5


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("a. Did you mean 'b'?.", "a. Did you mean 'b'?"),
        ("a..", "a."),
        ("wait...", "wait..."),
        ("../a is no .. in ../../b..", "../a is no .. in ../../b."),
    ],
)
def test_a_sentence_has_one_stop(message, line):
    assert output.first_line(message) == line


def test_nouns_are_counted():
    assert [output.count(n, "error") for n in (0, 1, 2)] == ["0 errors", "1 error", "2 errors"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("wrong."), 2),
        (RecordError("unreadable."), 2),
        (ReplayDivergence("differs."), 3),
        (BrainUnavailable("no key."), 4),
        (KeyboardInterrupt(), 130),
        (FileNotFoundError(2, "No such file or directory", "gone.yaml"), 2),
        (OSError(28, "No space left on device"), 4),
    ],
)
def test_every_failure_is_one_line_with_its_exit_code(error, code, monkeypatch, capsys):
    monkeypatch.setattr(main, "build", broken_by(error))
    assert main.execute(["run", "x"]) == code
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == 1
    assert "Traceback" not in captured.err


def test_an_error_names_file_line_and_column_and_stays_on_one_line(monkeypatch, capsys):
    error = SubsetError(
        "the loop bound  depends on data.\n    for i in n:\n        ^", where=Location("controllers/a.py", 3, 14)
    )
    monkeypatch.setattr(main, "build", broken_by(error))
    assert main.execute(["check"]) == 2
    assert capsys.readouterr().err == "heal: controllers/a.py:3:14: the loop bound depends on data.\n"


def test_with_json_an_error_is_a_document_too(monkeypatch, capsys):
    error = SubsetError("wrong.", where=Location("a.py", 3))
    monkeypatch.setattr(main, "build", broken_by(error))
    assert main.execute(["check", "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "error": {"message": "wrong.", "where": {"path": "a.py", "line": 3, "column": None}, "exit_code": 2}
    }


def test_a_defect_of_ours_shows_where_it_happened(monkeypatch, capsys):
    monkeypatch.setattr(main, "build", broken_by(ZeroDivisionError("division by zero")))
    assert main.execute(["check"]) == 4
    err = capsys.readouterr().err
    assert "Traceback" in err and "this is a bug in heal: ZeroDivisionError" in err


def test_python_dash_m_is_heal():
    done = subprocess.run(
        [sys.executable, "-m", "healing_runtime", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"heal {__version__}\n"


def test_what_c_libraries_print_never_reaches_the_document():
    code = (
        "import os; from healing_runtime.cli import output; output.keep_stdout_for_us();"
        "os.write(1, b'noise\\n'); output.emit({'a': 1}, True, list)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"a": 1}
    assert done.stderr == "noise\n"


def test_a_reader_that_goes_away_is_no_error():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "healing_runtime", "catalogue", "list"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert done.returncode == 141
    assert b"Traceback" not in done.stderr and b"BrokenPipe" not in done.stderr


def test_colour_only_on_a_terminal(capsys):
    output.emit({}, False, lambda: [output.word("healed")])
    assert capsys.readouterr().out == "healed\n"


def test_tables_line_up():
    assert output.table([("a", 10), ("bcd", 2)], ("x", "y")) == ["x    y", "a    10", "bcd  2"]
    assert output.table([], ("x",)) == []


@pytest.mark.parametrize(
    ("value", "text"), [(None, "invalid"), ("inf", "inf"), (0.123456, "0.1235"), (123456, "123456"), (True, "True")]
)
def test_numbers_for_people(value, text):
    assert output.number(value) == text


@pytest.mark.parametrize("arguments", [["--version"], ["catalogue", "list"], ["catalogue", "list", "--json"]])
def test_a_full_disk_behind_our_output_is_one_line(arguments):
    command = [sys.executable, "-m", "healing_runtime", *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 4
    assert line.startswith("heal: standard output cannot be written: no space left on device; send it where")
