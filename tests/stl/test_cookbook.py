"""docs/cookbook.md itself: every formula is bound, read and judged on the traces that stand beside it.

A recipe is a section `## N. Title` with an assertion file (a yaml block with `file=`), its reading as quoted lines, and
traces: tables with a row a signal and a column a sample, each with its verdict in the line below. A `Pitfall:` ends it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from fractions import Fraction
from pathlib import Path

import jax
import numpy as np
import pytest
from pages import formulas_in_passing

from healing_runtime import stl, workspace
from healing_runtime.core import units
from healing_runtime.core.errors import AssertionSyntaxError
from healing_runtime.core.records import AssertionFile
from healing_runtime.core.signals import Layout, SignalTable
from healing_runtime.core.status import Status
from healing_runtime.stl.formula import references
from healing_runtime.stl.ticks import in_ticks
from healing_runtime.workspace.assertions import resolve_assertions
from healing_runtime.workspace.document import read_document

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "cookbook.md"
LEAST = 20
FLOWN_HZ = {"quadrotor": 48, "lander": 10}

_SECTION = re.compile(r"^## \d+\. (?P<title>.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```yaml file=(?P<file>\S+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_READING = re.compile(r"^> (.+)$", re.MULTILINE)
_TRACE = re.compile(
    r"^(?P<table>(?:\|.*\n)+)\nVerdict: `(?P<status>\w+)`(?: at (?P<at>\S+) s)?, "
    r"robustness `(?P<rho>\S+)`(?: to `(?P<hi>\S+)`)?\.",
    re.MULTILINE,
)
_LABEL = re.compile(r"(?P<name>observed\(\w+(?:\.\w+)?\)|\w+(?:\.\w+)?)(?: \((?P<unit>[^)]+)\))?")


@dataclasses.dataclass(frozen=True)
class Trace:
    """A table: the rate of its columns, samples in SI by row label, and the verdict written below it.

    `rho` is the robustness; of a verdict that is unknown, its two bounds.
    """

    hz: int
    rows: dict[str, np.ndarray]
    status: str
    at_s: float | None
    rho: tuple[float, ...]

    @classmethod
    def read(cls, found: re.Match[str]) -> Trace:
        cells = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in found["table"].splitlines()]
        (clock, *times), _, *rows = cells
        assert clock == "t (s)", clock
        steps = np.diff(np.array(times, float))
        hz = round(1 / steps[0])
        np.testing.assert_allclose(steps, 1 / hz)
        samples = {}
        for label, *values in rows:
            named = _LABEL.fullmatch(label)
            assert named and len(values) == len(times), (label, values)
            samples[named["name"]] = np.array(values, float) * units.si_factor(named["unit"] or "")
        at_s = float(found["at"]) if found["at"] else None
        rho = tuple(float(bound) for bound in (found["rho"], found["hi"]) if bound)
        return cls(hz, samples, found["status"], at_s, rho)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One section of the page."""

    title: str
    file: str
    body: str
    reading: str
    traces: tuple[Trace, ...]
    text: str


def recipes(page: str) -> list[Recipe]:
    heads = list(_SECTION.finditer(page))
    ends = [head.start() for head in heads[1:]] + [len(page)]
    found = []
    for head, end in zip(heads, ends, strict=True):
        text = page[head.end() : end].split("\n# ")[0]
        (block,) = _BLOCK.finditer(text)
        traces = tuple(map(Trace.read, _TRACE.finditer(text)))
        found.append(
            Recipe(head["title"], block["file"], block["body"], " ".join(_READING.findall(text)), traces, text)
        )
    return found


RECIPES = recipes(PAGE.read_text())


@pytest.fixture(scope="module")
def tables() -> dict[str, SignalTable]:
    home = workspace.open(ROOT)
    return {name: home.robot(name).signals for name in FLOWN_HZ}


def resolve(recipe: Recipe, folder: Path) -> AssertionFile:
    path = folder / Path(recipe.file).name
    path.write_text(recipe.body)
    return resolve_assertions(read_document(path), path.stem)


# ---------------------------------------------------------------- judging a trace
def judge(bound: stl.Requirement, table: SignalTable, trace: Trace) -> tuple[str, float | None, tuple[float, ...]]:
    """Final status, when it was noticed, and robustness: by the monitor in a scan, held against the offline verdict."""
    read = {
        (r.signal, r.observed, entry)
        for r in references(bound.formula)
        for entry in (range(r.size) if r.size else (r.index,))
    }
    columns = {
        layout: np.zeros((trace_length(trace), getattr(table, layout).size), np.float32)
        for layout in ("true", "observed")
    }
    given = set()
    for label, values in trace.rows.items():
        observed = label.startswith("observed(")
        name, _, component = label.removeprefix("observed(").rstrip(")").partition(".")
        layout = table.observed if observed else table.true
        index = layout.by_name[name].components.index(component) if component else None
        columns["observed" if observed else "true"][:, layout.slices[name].start + (index or 0)] = values
        given.add((name, observed, index))
    assert read <= given, f"no row for {read - given}"

    monitor = stl.online_all((bound,), table, trace.hz)
    samples = (columns["true"], columns["observed"])
    _, out = jax.lax.scan(lambda state, sample: monitor.update(state, *sample), monitor.init(), samples)
    noticed = np.flatnonzero(np.isin(np.asarray(out.now.status)[:, 0], (Status.FALSE, Status.INVALID)))
    status = Status(int(out.ended.status[-1, 0]))
    at_s = float(noticed[0]) / trace.hz if status.violated and len(noticed) else None
    parts = ("rho_lo", "rho_hi") if status is Status.UNKNOWN else ("rho",)
    rho = tuple(float(getattr(out.ended, part)[-1, 0]) for part in parts)

    signals = named(columns["true"], table.true, "{}") | named(columns["observed"], table.observed, "observed({})")
    offline = stl.verdicts(bound.formula, signals, 1 / trace.hz)
    assert Status(int(offline.status[0])) is status
    assert tuple(float(getattr(offline, part)[0]) for part in parts) == pytest.approx(rho, nan_ok=True)
    return status.word, at_s, rho


def named(vectors: np.ndarray, layout: Layout, form: str) -> dict[str, np.ndarray]:
    """Flat vectors over samples -> samples by name."""
    parts = {s: vectors[:, layout.slices[s.name]] for s in layout.signals}
    return {form.format(s.name): part if s.shape else part[:, 0] for s, part in parts.items()}


def trace_length(trace: Trace) -> int:
    return len(next(iter(trace.rows.values())))


def check(recipe: Recipe, tables: dict[str, SignalTable], folder: Path) -> None:
    """Raise where the page and the language differ."""
    file = resolve(recipe, folder)
    table = tables[file.robot]
    stl.bind([file], table, FLOWN_HZ[file.robot])  # the bounds are whole ticks at the rate that is flown
    for trace in recipe.traces:
        (bound,) = stl.bind([file], table, trace.hz)
        assert stl.explain(bound.formula, mission=bound.mission) == recipe.reading
        status, at_s, rho = judge(bound, table, trace)
        assert (status, at_s) == (trace.status, trace.at_s), f"{status} at {at_s}"
        assert rho == pytest.approx(trace.rho, rel=1e-5, abs=1e-5, nan_ok=True)


# ---------------------------------------------------------------- the page
def test_the_page_has_the_patterns_it_promises():
    assert len(RECIPES) >= LEAST
    assert len({recipe.title for recipe in RECIPES}) == len({recipe.file for recipe in RECIPES}) == len(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.title)
def test_a_recipe_is_whole(recipe):
    statuses = [trace.status for trace in recipe.traces]
    assert "true" in statuses and {"false", "invalid"} & set(statuses)
    assert "\nPitfall: " in recipe.text
    assert recipe.text.count("Verdict:") == len(recipe.traces) == recipe.text.count("| t (s) |")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.title)
def test_a_recipe_does_what_it_says(recipe, tables, tmp_path):
    check(recipe, tables, tmp_path)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.title)
def test_formulas_in_passing_are_read_or_refused_as_the_page_says(recipe, tables, tmp_path):
    file = resolve(recipe, tmp_path)
    words = {"signals": tables[file.robot], "constants": file.constants, "definitions": file.definitions}
    for text, refused in formulas_in_passing(recipe.text):
        with pytest.raises(AssertionSyntaxError) if refused else contextlib.nullcontext():
            in_ticks(stl.parse(text, **words), Fraction(1, FLOWN_HZ[file.robot]))


def test_some_formulas_stand_in_passing():
    found = [formula for recipe in RECIPES for formula in formulas_in_passing(recipe.text)]
    assert len(found) > 8 and any(refused for _, refused in found)


@pytest.mark.parametrize("recipe", RECIPES[::6], ids=lambda r: r.title)
def test_a_recipe_with_a_mistake_in_it_is_found(recipe, tables, tmp_path):
    """Another reading, another robustness, another moment, traces exchanged."""
    first, second = (next(t for t in recipe.traces if (t.status == "true") is good) for good in (True, False))
    swapped = dataclasses.replace(first, rows=second.rows, hz=second.hz)
    for wrong in (
        dataclasses.replace(recipe, reading=recipe.reading.replace("e", "a", 1)),
        dataclasses.replace(recipe, traces=(swapped,)),
        dataclasses.replace(recipe, traces=(dataclasses.replace(second, at_s=99.0),)),
        dataclasses.replace(recipe, traces=(dataclasses.replace(first, rho=(np.nan_to_num(first.rho[0]) - 1e-3,)),)),
    ):
        with pytest.raises(AssertionError):
            check(wrong, tables, tmp_path)
