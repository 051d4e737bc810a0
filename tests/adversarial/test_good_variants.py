"""No false refusal: honest variants of what ships pass every stage before the flights, and so does what ships."""

from __future__ import annotations

from pathlib import Path

import gate_kit as kit
import numpy as np
import pytest
from ruamel.yaml import YAML

from healing_runtime import workspace
from healing_runtime.gate import contract, ownership, syntax
from healing_runtime.gate.policy import candidate_of
from healing_runtime.language import controller, passes, trace
from healing_runtime.language import source as language_source

ROOT = Path(__file__).parents[2]
VARIANTS = {v["id"]: v for v in YAML(typ="safe").load((Path(__file__).parent / "variants.yaml").read_text())}
CONTROLLERS = ROOT / "controllers"
SHIPPED = sorted(path.relative_to(CONTROLLERS).with_suffix("").as_posix() for path in CONTROLLERS.glob("*/*.py"))


@pytest.fixture(scope="module")
def home():
    return workspace.open(ROOT)


def variant(home, name):
    """A shipped controller and its variant."""
    original = home.controller(VARIANTS[name]["of"])
    text = original.text
    for old, new in VARIANTS[name]["replace"]:
        assert old in text, f"{name}: nothing to replace"
        text = text.replace(old, new)
    return original, text


def judged(original, text):
    """A patch after the stages that are pure syntax."""
    candidate = candidate_of(kit.proposal(text), kit.incident(), (), original)
    for check in (contract.check, syntax.check, ownership.checker(original)):
        candidate = check(candidate)
        assert not candidate.refused, candidate.stages[-1]
    return candidate


def errors(home, name, text):
    table = home.robot(name.split("/")[0]).signals
    traced = trace.trace(controller.load(language_source.parse(text, path="c.py")), table, 1 / 50, np.float32)
    return [finding for finding in passes.run(traced) if finding.severity == "error"]


def test_there_are_enough():
    assert len(VARIANTS) >= 30


@pytest.mark.parametrize("name", VARIANTS)
def test_honest_variants_pass_contract_syntax_and_ownership(home, name):
    judged(*variant(home, name))


@pytest.mark.parametrize("name", VARIANTS)
def test_honest_variants_pass_trace_and_passes(home, name):
    assert errors(home, VARIANTS[name]["of"], variant(home, name)[1]) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_passes_as_a_patch_of_another(home, name):
    """With a word more in its docstring, since a patch is not the file that failed. (Traced in tests/language.)"""
    original = home.controller(name)
    judged(original, original.text.replace('"""', '"""Again: ', 1))
