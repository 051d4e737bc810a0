"""Every command and every snippet of the documents runs, in a workspace of its own.

A page is executed from top to bottom. A block ```` ```yaml file=PATH ```` (any language) is written to that path. In a
```` ```console ```` block each line after `$ ` is a command, and the lines below it are what it must print (`…` stands
for anything); `# exit N` after a command is its exit code. A ```` ```python ```` block without a file is executed.
`make` is what a page cannot do inside a test: its targets are checked elsewhere. `heal` is that of `warm_heal.py`.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OUTSIDE = ("make ",)
BLOCK = re.compile(r"^```(?P<language>\w+)(?: file=(?P<file>\S+))?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


class Command(NamedTuple):
    line: str
    exit_code: int
    expected: list[str]


def commands(body: str) -> list[Command]:
    found: list[Command] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            text, _, remark = line[2:].partition("  # exit ")
            found.append(Command(text.strip(), int(remark or 0), []))
        elif found and line.strip():
            found[-1].expected.append(line)
    return found


def assert_printed(command: Command, printed: str) -> None:
    """The expected lines occur in this order; other lines may stand between them."""
    lines = iter(printed.splitlines())
    for expected in command.expected:
        if expected.strip() == "…":
            continue
        pattern = ".*".join(re.escape(part) for part in re.sub(r"\s+", " ", expected.strip()).split("…"))
        for line in lines:
            if re.fullmatch(pattern, re.sub(r"\s+", " ", line.strip())):
                break
        else:
            pytest.fail(f"{command.line}\ndoes not print\n{expected}\nbut\n{printed}")


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> Iterator[dict[str, str]]:
    """One in which `heal` starts at once."""
    programs = tmp_path_factory.mktemp("heal")
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    environment.pop("GEMINI_API_KEY", None)
    command = [sys.executable, str(Path(__file__).with_name("warm_heal.py")), str(programs)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as server:
        assert server.stdin is not None and server.stdout is not None
        assert server.stdout.readline().strip() == str(programs / "heal")
        yield environment
        server.stdin.close()


def execute(page: Path, folder: Path, environment: dict[str, str]) -> None:
    for block in BLOCK.finditer(page.read_text()):
        if block["file"]:
            target = folder / block["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block["body"])
        elif block["language"] == "python":
            subprocess.run([sys.executable, "-c", block["body"]], cwd=folder, env=environment, check=True)
        elif block["language"] == "console":
            for command in commands(block["body"]):
                if command.line.startswith(OUTSIDE):
                    continue
                shell = ["bash", "-c", command.line]
                done = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True, check=False)
                said = f"{command.line}\n{done.stdout}\n{done.stderr}"
                assert done.returncode == command.exit_code, said
                assert_printed(command, done.stdout + done.stderr)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page_runs_as_written(page, tmp_path, environment):
    execute(page, tmp_path, environment)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_of_a_page_lead_somewhere(page):
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)  # code may look like a link
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
        assert (page.parent / target).exists(), target


def test_a_page_with_a_wrong_line_fails(tmp_path, environment):
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo one\ntwo\n```\n")
    with pytest.raises(pytest.fail.Exception, match="does not print"):
        execute(page, tmp_path, environment)


def test_a_page_with_a_wrong_exit_code_fails(tmp_path, environment):
    page = tmp_path / "page.md"
    page.write_text("```console\n$ false\n```\n")
    with pytest.raises(AssertionError, match="false"):
        execute(page, tmp_path, environment)
