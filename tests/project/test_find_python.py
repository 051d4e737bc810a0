"""The set-up finds CPython 3.11, or says in one line what to install."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "find-python.sh"


def find(folder: Path, interpreters: dict[str, str], python: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script where only these exist; each answers the probe with its text, or fails if that is empty."""
    for name, answer in interpreters.items():
        stub = folder / name
        stub.write_text("#!/bin/sh\n" + (f"echo {answer}\n" if answer else "exit 127\n"))
        stub.chmod(0o755)
    environment = {"PATH": str(folder), "PYTHON": python}
    return subprocess.run(["/bin/sh", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False)


def test_python311_is_preferred_over_a_newer_python3(tmp_path):
    done = find(tmp_path, {"python3.11": "3.11", "python3": "3.13"})
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "python3.11"))


def test_python3_is_taken_when_it_is_3_11(tmp_path):
    # A version manager's shim exists under every name and fails for versions that are not chosen.
    done = find(tmp_path, {"python3.11": "", "python3": "3.11"})
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "python3"))


@pytest.mark.parametrize("interpreters", [{}, {"python3": "3.10"}, {"python3.11": ""}])
def test_without_any_it_stops_in_one_line_with_what_to_install(tmp_path, interpreters):
    done = find(tmp_path, interpreters)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "apt install python3.11 python3.11-venv" in done.stderr


def test_only_a_newer_one_says_that_pybullet_is_built_from_source_and_what_that_needs(tmp_path):
    done = find(tmp_path, {"python3": "3.12"})
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    for words in ("python3 is Python 3.12", "compiled from source", "C++ compiler", "headers", "make PYTHON=python3"):
        assert words in done.stderr


def test_a_newer_one_that_is_asked_for_is_taken_with_the_note(tmp_path):
    done = find(tmp_path, {"mypython": "3.13"}, python="mypython")
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "mypython"))
    assert "compiled from source" in done.stderr


@pytest.mark.parametrize(
    ("answer", "words"), [("3.10", "is Python 3.10"), ("", "is not a CPython with the venv module")]
)
def test_an_unfit_one_that_is_asked_for_is_refused(tmp_path, answer, words):
    done = find(tmp_path, {"mypython": answer, "python3.11": "3.11"}, python="mypython")
    assert done.returncode == 1
    assert words in done.stderr


def test_the_probe_itself_accepts_this_interpreter():
    import sys

    done = subprocess.run(
        ["/bin/sh", str(SCRIPT)],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable)
