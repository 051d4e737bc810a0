"""Nothing of a shipped controller, scenario or robot is in the brain's package."""

import ast
import re
from pathlib import Path

import pytest

from healing_runtime.brains import embedded

ROOT = Path(__file__).parents[2]
PACKAGE = sorted(Path(embedded.__file__).parent.rglob("*.py"))
CONTROLLERS = sorted((ROOT / "controllers").glob("*/*.py"))
# Numbers that mean nothing by themselves, besides those with a single digit (0.05, 8, 1e-6).
COMMON = {0.0, 0.25, 16.0}


def lines(path):
    """Statements of some length, spacing and comments gone; templates in strings count line by line."""
    found = (re.sub(r"\s+", " ", line.split("  #")[0]).strip() for line in path.read_text().splitlines())
    return {line.replace("{{", "{").replace("}}", "}") for line in found if len(line) > 30}


def numbers(path):
    constants = (n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant))
    texts = [str(c) for c in constants if isinstance(c, int | float | str) and not isinstance(c, bool)]
    found = re.findall(r"(?<![\w.])\d+\.?\d*(?:[eE][-+]?\d+)?(?![\w.])", "\n".join(texts))
    return {value for value in map(float, found) if float(f"{value:.0e}") != value} - COMMON


def test_there_is_something_to_compare():
    assert len(PACKAGE) > 10 and len(CONTROLLERS) > 3


@pytest.mark.parametrize("controller", CONTROLLERS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_no_line_and_no_number_of_a_shipped_controller(controller):
    shared_lines = set().union(*map(lines, PACKAGE)) & lines(controller)
    assert shared_lines <= {"from __future__ import annotations"}
    assert not set().union(*map(numbers, PACKAGE)) & numbers(controller)


@pytest.mark.parametrize("folder", ["controllers", "scenarios", "sim/robots"])
def test_no_name_of_what_is_shipped(folder):
    names = {p.stem for p in (ROOT / folder).rglob("*.*") if p.suffix in (".py", ".yaml")} - {"__init__", "landing"}
    text = "\n".join(p.read_text() for p in PACKAGE)
    words = set(re.findall(r"[A-Za-z_]+", text))
    # The measured example in a comment names the kind of robot it was measured on.
    assert names & words <= {"quadrotor"}
