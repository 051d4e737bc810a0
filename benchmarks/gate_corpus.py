"""The attacks of the tests, and the gate that they are sent through: how long each takes to be refused."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from gate_cases import ROOT

from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate
from healing_runtime.gate.records import Resume
from healing_runtime.sandbox.zygote import Sandbox

sys.path[:0] = [str(ROOT / "tests/gate"), str(ROOT / "tests/adversarial")]


class Attack(NamedTuple):
    """A source that must be refused, and what the gate must know to do so. Those that are slow take their limit."""

    name: str
    text: str
    original: str
    slow: bool = False
    samples: int = 0
    spread: float = 0.05
    kind: Any = "file"


class Refused(NamedTuple):
    """Where an attack was refused, and after how long; the stage is empty if it was not."""

    name: str
    stage: str
    took_s: float


def attacks(slow: bool) -> Iterator[Attack]:
    """Those that were found, and those written for this gate."""
    sources = importlib.import_module("sources")
    for name, text in sources.corpus("/nowhere").items():
        yield Attack(name, sources.adapted(text), sources.ORIGINAL)
    for name, case in sources.cases().items():
        if slow or not case.get("slow"):
            text, original = sources.written(case)
            rest = (bool(case.get("slow")), case.get("samples", 0), case.get("spread", 0.05), case.get("kind", "file"))
            yield Attack(name, text, original, *rest)


def refusals(sandbox: Sandbox, slow: bool) -> Iterator[Refused]:
    """Send them all through the whole gate."""
    kit = importlib.import_module("gate_kit")
    gates: dict[tuple[Any, ...], Gate] = {}
    for attack in attacks(slow):
        key = (attack.original, attack.samples, attack.spread)
        if key not in gates:
            context = kit.context(original=attack.original, samples=attack.samples, spread=attack.spread)
            gates[key] = Gate(sandbox, context, KeptPrograms.none())
        start = time.perf_counter()
        refusal = gates[key].judge(kit.proposal(attack.text, attack.kind), kit.incident(), (Resume(0),)).refusal
        yield Refused(attack.name, refusal.stage.value if refusal else "", time.perf_counter() - start)
