"""Every controller of the catalogue, with the assertions that judge it: what its executable and its export hold."""

from __future__ import annotations

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export as jax_export

from healing_runtime import stl, workspace
from healing_runtime.compile import export, portable, programs, recheck
from healing_runtime.language import controller, linalg, source, trace

ROOT = Path(__file__).parents[2]
HOME = workspace.open(ROOT)
SCENARIOS = {name: HOME.scenario(name).scenario for name in HOME.scenario_names()}


def flown(name: str):
    """The scenarios that fly a controller; for one that none flies, those of its robot."""
    robot = name.partition("/")[0]
    mine = [s for s in SCENARIOS.values() if s.controller == name]
    found = mine or [s for s in SCENARIOS.values() if s.robot == robot]
    return {(s.assertions, s.mission, s.control_hz, s.dtype): s for s in found}.values()


COURSES = [(name, scenario) for name in HOME.controller_names() for scenario in flown(name)]
# Copies with a mistake compile to much the same as the sound one; they are looked at in the slow tests.
_MISTAKES = (ROOT / "tests/sim/mistakes.diff").read_text().splitlines()
COPIES = {line.removeprefix("+++ ") for line in _MISTAKES if line.startswith("+++ ")}
PARAMS = [
    pytest.param(course, id=f"{course[0]} in {course[1].name}", marks=[pytest.mark.slow] * (course[0] in COPIES))
    for course in COURSES
]


@pytest.fixture(scope="module", params=PARAMS)
def course(request):
    """A traced controller, the requirements that judge it, and its rate."""
    name, scenario = request.param
    text, table = HOME.controller(name), HOME.robot(scenario.robot).signals
    parsed = source.parse(text.text, name=text.name, path=text.path)
    traced = trace.trace(controller.load(parsed), table, scenario.dt_s, np.dtype(scenario.dtype))
    bound = stl.bind([HOME.assertion_file(n) for n in scenario.assertions], table, scenario.control_hz)
    return traced, stl.judging(bound, scenario.mission), scenario.control_hz


def test_the_catalogue_is_covered():
    assert {name for name, _ in COURSES} == set(HOME.controller_names()) and len(COURSES) >= 5


def test_all_donated_memory_is_reused_by_the_executable_that_flies(course):
    """The claim of the pass `linearity`, checked physically: aliased bytes = donated bytes."""
    traced, requirements, hz = course
    exported = export.export_controller(traced, None, hz)
    program = programs.load(programs.build(exported, requirements, traced.table, hz, one_kernel=True))
    memory = program.memory()
    assert memory.aliased == memory.carry == sum(part.nbytes for part in program.start()) > 0
    donated = jax.device_put(program.start().joined())
    program.tick(program.params, donated, np.zeros(sum(program.interface.inputs), np.float32))
    assert donated.is_deleted()


HOST = re.compile(r"custom_call|callback|infeed|outfeed|stablehlo\.send|stablehlo\.recv|token|host")


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_it_lowers_for_a_device_that_is_not_here(course, platform):
    """Control, contract and the whole tick with its monitors; the re-check inside refuses what is not on its list."""
    traced, requirements, hz = course
    program = portable.export_tick(traced, requirements, hz, platform)
    again = portable.read(portable.written(program))
    assert again.platform == platform and again.interface.judged == program.interface.judged
    exported = recheck.rechecked(program.stablehlo, platform)
    assert exported.platforms == (platform,)
    assert not HOST.search(exported.mlir_module())


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
@pytest.mark.parametrize("n", [1, 3, 8])
def test_linear_algebra_lowers_for_every_device(platform, n):
    a, b = np.eye(n, dtype=np.float32), np.ones(n, np.float32)
    calls = {"solve": (a, b), "inv": (a,), "cholesky": (a,), "lstsq": (a, b)}
    for name, arguments in calls.items():
        exported = jax_export.export(jax.jit(getattr(linalg, name)), platforms=[platform])(*arguments)
        recheck.rechecked(bytes(exported.serialize()), platform)
        assert not HOST.search(exported.mlir_module()), name


def test_what_lapack_would_lower_to_is_seen():
    """The pattern above can fail."""
    lapack = jax_export.export(jax.jit(jnp.linalg.inv), platforms=["cuda"])(np.eye(3, dtype=np.float32))
    assert HOST.search(lapack.mlir_module())
