"""How late the monitors trip that `heal check` calls `bound`, in ticks; no speed, and so no part of `heal bench speed`.

Words of samples are drawn, the first tick after which no continuation of a word satisfies the formula is found by
trying all of them, and the monitor is run on the word. Formulas are generated, as the tests do it, and named. `python
benchmarks/zero_delay.py [--json] [SEED [FORMULAS]]`.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime import stl
from healing_runtime.core.status import Status
from healing_runtime.stl.ticks import exact_period, in_ticks

TICKS, WORDS = 8, 128
SEED, FORMULAS = 0, 300

_P, _Q = ("flag", "p"), ("flag", "q")
_LOW, _HIGH = ("pred", "x", "<", 0.5), ("pred", "x", ">", 0.5)
_HELD = ("held_for", 2, _P)
NAMED: Sequence[tuple[Any, ...]] = (
    ("and", ("eventually", (0, 2), _HIGH), ("always", (0, 2), _LOW)),
    ("always", None, ("implies", _P, ("and", ("eventually", (0, 2), _HIGH), ("always", (0, 2), _LOW)))),
    ("always", (1, 3), ("historically", (0, 1), _P)),
    ("eventually", (0, 4), _HELD),
    ("always", None, ("implies", _Q, ("eventually", (0, 4), _HELD))),
    ("always", None, ("prev", _P)),
    ("always", None, ("iff", _P, ("eventually", (0, 2), _Q))),
    ("eventually", (0, 3), ("literal", False)),
)
"""What an author might write and `heal check` calls `bound`."""


def oracle() -> Any:
    """The judge of the tests: it tries all continuations."""
    path = Path(__file__).parent.parent / "tests/oracles/stl_continuations.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def delays(judge: Any, f: Any, draw: np.random.Generator) -> list[int | None]:
    """By how many ticks the monitor was late, of every word that is hopeless; None if it had not tripped at its end."""
    circuit = judge.circuit(f, TICKS)
    letters = list(circuit.letters)
    words = [[letters[i] for i in row] for row in draw.integers(0, len(letters), (WORDS, TICKS))]
    samples = {n: jnp.array([[circuit.letters[a][n] for a in w] for w in words], jnp.float32) for n in "xypq"}
    tripped = _trips(judge.text(f), samples)
    doomed = [circuit.doomed(word) for word in words]
    return [None if t == TICKS else int(t - d) for t, d in zip(tripped, doomed, strict=True) if d is not None]


def _trips(text: str, samples: dict[str, jax.Array]) -> np.ndarray:
    """First tick at which the monitor says false, of every word; TICKS if in none."""
    monitor = stl.online(stl.parse(text), 1.0)
    state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (WORDS, *leaf.shape)), monitor.init())
    update, first = jax.vmap(monitor.update), np.full(WORDS, TICKS)
    for t in range(TICKS):
        state, verdict = update(state, {name: values[:, t] for name, values in samples.items()})
        first = np.where((np.asarray(verdict.status) == Status.FALSE) & (first == TICKS), t, first)
    return first


def measure(seed: int = SEED, formulas: int = FORMULAS) -> dict[str, Any]:
    """Delays of the named formulas, and of the generated ones that are `bound`; the same for the same seed."""
    judge, draw = oracle(), np.random.default_rng(seed)
    named = {judge.text(f): _distribution(delays(judge, f, draw)) for f in NAMED}
    generate, rules, late, found = judge.Formulas(seed), Counter[str](), Counter[str](), list[int | None]()
    for _ in range(formulas):
        f = generate.any()
        rule = str(stl.zero_delay(in_ticks(stl.parse(judge.text(f)), exact_period(1))))
        own = delays(judge, f, draw)
        rules[rule] += 1
        late[rule] += any(own) or None in own
        found += own if rule == "bound" else []
    return {
        "seed": seed,
        "ticks": TICKS,
        "words": WORDS,
        "formulas": dict(rules),
        "late": dict(late),
        "bound": _distribution(found),
        "named": named,
    }


def _distribution(found: Sequence[int | None]) -> dict[str, int]:
    """Delay in ticks -> words; `open` had not tripped when the word ended."""
    counts = Counter("open" if delay is None else str(delay) for delay in found)
    return dict(sorted(counts.items(), key=lambda item: (item[0] == "open", item[0].zfill(4))))


def main() -> None:
    """Measure and print."""
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    found = measure(*numbers)
    if "--json" in sys.argv[1:]:
        print(json.dumps(found))
        return
    print(
        f"ticks late -> hopeless words of {TICKS} ticks (open: not tripped when the word ended), seed {found['seed']}"
    )
    for text, distribution in found["named"].items():
        print(f"{_words(distribution):<40} {text}")
    for rule, count in sorted(found["formulas"].items()):
        print(f"{count} generated formulas are {rule}, {found['late'][rule]} of them late on some word")
    print(f"{_words(found['bound']):<40} all that are bound")


def _words(distribution: dict[str, int]) -> str:
    return "  ".join(f"{delay}: {count}" for delay, count in distribution.items()) or "never hopeless"


if __name__ == "__main__":
    main()
