"""Hostile and confused sources against the whole gate, and against a worker alone."""

from __future__ import annotations

import re
import time

import gate_kit as kit
import pytest
import sources

from healing_runtime.core.errors import WorkerFailed
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate
from healing_runtime.gate.records import Resume
from healing_runtime.sandbox.zygote import Job, Limits, Message

NO_JAX = r"jax itself is not in scope"
NOT_THERE = r"is not part of TensorLang"
EXPECTED = {
    "import": ("syntax", r"'import os' is not part"),
    "dunder_subclasses": ("syntax", r"__subclasses__"),
    "fn_globals": ("syntax", NOT_THERE),
    "jax_version_subprocess": ("syntax", NO_JAX),
    "format_attr_leak": ("syntax", r"\.format\(\)"),
    "decorator_exec": ("syntax", r"decorators"),
    "default_arg": ("syntax", r"default values"),
    "jnp_save": ("syntax", r"jnp\.save"),
    "jnp_load_pickle": ("syntax", r"jnp\.load"),
    "jnp_fromfile": ("syntax", r"jnp\.fromfile"),
    "profiler_write": ("syntax", NO_JAX),
    "profiler_server": ("syntax", NO_JAX),
    "compiler_options_dump": ("syntax", NO_JAX),
    "pure_callback": ("syntax", r"jnp\.save|jax itself"),
    "debug_callback": ("syntax", r"jnp\.save|jax itself"),
    "io_callback": ("syntax", r"jnp\.save|jax itself"),
    "trace_time_effect": ("syntax", r"jnp\.save"),
    "monkeypatch_jnp": ("syntax", r"a module binds names only"),
    "config_poison": ("syntax", NO_JAX),
    "del_timebomb": ("syntax", r"classes"),
    "init_subclass": ("syntax", r"classes"),
    "donate_input": ("syntax", NO_JAX),
    "toctou_trace_count": ("syntax", r"\.append\(\)"),
    "tracer_sniff": ("syntax", r"isinstance"),
    "hardcode_tests": ("flights", r"violated at tick|limits"),
    "nan_wins": ("syntax", r"jnp\.nan"),
    "py_pow_bomb": ("syntax", r"overflows"),
    "py_str_bomb": ("syntax", r"text is only"),
    "py_while": ("syntax", r"no constant bound"),
    "deep_ast": ("syntax", r"prefix operators"),
    "unroll": ("syntax", r"4000 unrolled"),
    "doubling": ("syntax", r"lambda"),
    "const_fold_bomb": ("syntax", r"jnp\.sort"),
    "giant_const": ("syntax", r"operator"),
    "giant_intermediate": ("passes", r"cost: control needs"),
    "lax_while_forever": ("syntax", r"trip count depends on data"),
    "fori_huge": ("syntax", r"overflows"),
    "scan_huge": ("syntax", r"overflows"),
    "recursion": ("syntax", r"calls itself"),
    "flops": ("passes", r"cost: control needs"),
    "nested_for": ("syntax", r"multiply to more than"),
    "tuple_doubling": ("trace", r"grows beyond"),
    "lambda_omega": ("syntax", r"lambda"),
    "fori_literal": ("passes", r"loops multiply to 2147483647"),
    "big_zeros": ("passes", r"cost: control needs"),
}

# Attacks of our own, inside `control`, where the corpus has them at module level or as bare statements.
INSIDE = {
    "callback_as_value": ("y = jax.pure_callback(x, x, x)", "syntax", NO_JAX),
    "save_as_value": ("y = jnp.save('f', x)", "syntax", r"jnp\.save|text is only"),
    "alias_then_save": ("g = jnp\ny = g.zeros(3)", "syntax", r"."),
    "getattr_through_subscript": ("y = x['__class__']", "syntax", r"."),
    "dunder_name": ("y = __builtins__", "syntax", r"."),
    "dunder_import": ("y = __import__", "syntax", r"."),
    "walrus_rebind": ("y = (jnp := x)", "syntax", r"."),
    "rebind_namespace": ("jnp = x", "syntax", r"."),
    "global_statement": ("global PARAMS\nPARAMS = x", "syntax", r"."),
    "delete": ("del x", "syntax", r"."),
    "try_except": ("try:\n    y = x\nexcept Exception:\n    y = x", "syntax", r"."),
    "yield": ("y = yield x", "syntax", r"."),
    "generator_bomb": ("y = sum(i for i in range(10**9))", "syntax", r"."),
    "comprehension_bomb": ("y = [i for i in range(10**9)]", "syntax", r"."),
    "f_string": ('y = f"{x}"', "syntax", r"."),
    "integer_tower": ("n = 2\nfor i in range(30):\n    n = n * n\ny = x * n", "*", r"."),
    "attribute_store": ("x.at = x", "syntax", r"."),
    "star_arguments": ("y = jnp.maximum(*[x, x])", "syntax", r"."),
    "lapack": ("y = jnp.linalg.inv(jnp.outer(x, x))", "syntax", r"tl\.linalg"),
    "non_ascii": ("y = x  # \u202e", "syntax", r"ASCII"),
    "huge_shape": ("y = x + jnp.ones((4, 30000, 30000))[:, 0, 0]", "passes|trace", r"."),
    "nested_scan_bomb": (
        "def f(c, _):\n    return lax.scan(g, c, None, length=60000)\n"
        "def g(c, _):\n    return jnp.sin(c), None\ny = lax.scan(f, x, None, length=60000)[0]",
        "*",
        r".",
    ),
}


@pytest.fixture(scope="module")
def context():
    return kit.context(original=sources.ORIGINAL, samples=0)


@pytest.fixture(scope="module")
def judge(sandbox, context):
    gate = Gate(sandbox, context, KeptPrograms.none())
    assert sandbox.confinement  # waits for the zygote: its start is not the candidates' time

    def judge(text):
        started = time.monotonic()
        decision = gate.judge(kit.proposal(text), kit.incident(), (Resume(0),))
        return decision.refusal, time.monotonic() - started

    return judge


def test_the_corpus_is_whole():
    assert set(EXPECTED) == set(sources.corpus("scratch")) and len(EXPECTED) == 45


@pytest.mark.parametrize("case", EXPECTED)
def test_every_case_is_refused_for_its_reason_in_time(judge, case, tmp_path):
    stage, reason = EXPECTED[case]
    refusal, took_s = judge(sources.adapted(sources.corpus(str(tmp_path))[case]))
    assert refusal is not None, "accepted"
    assert refusal.stage == stage and re.search(reason, refusal.reason), refusal
    assert took_s < (2 if stage == "syntax" else 15)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", INSIDE)
def test_attacks_inside_control_are_refused(judge, case):
    attack, stage, reason = INSIDE[case]
    refusal, took_s = judge(sources.inside(attack))
    assert refusal is not None, "accepted"
    assert refusal.stage.value in stage.split("|") or stage == "*", refusal
    assert re.search(reason, refusal.reason), refusal
    assert took_s < 15


def test_the_controller_around_the_attacks_is_in_order(judge):
    """So it is the attack that is refused: with a harmless body, all stages before the flights accept."""
    refusal, _ = judge(sources.inside("y = 2.0 * x"))
    assert refusal is not None and refusal.stage == "flights"


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("py_while", "timed out"),
        ("lax_while_forever", "timed out|CPU time"),
        ("fori_huge", "timed out|CPU time"),
        ("nested_for", "timed out|CPU time|ran out"),
        ("py_str_bomb", "ran out of memory"),
        ("giant_intermediate", "raised|killed|ran out|timed out"),
        ("deep_ast", "raised|killed|ran out"),
        ("recursion", "RecursionError|timed out"),
        ("lambda_omega", "RecursionError|timed out"),
        ("del_timebomb", None),
    ],
)
def test_without_any_stage_the_worker_contains_it(sandbox, case, reason, tmp_path):
    """Nothing but limits from outside: the job ends on time."""
    header = {"source": sources.corpus(str(tmp_path))[case]}
    limits = Limits(wall_s=1.5, cpu_s=5, memory_bytes=4 << 30, file_bytes=0)
    started = time.monotonic()
    if reason is None:
        sandbox.run(Job("unguarded:run", Message(header), limits))
        assert all(path.stat().st_size == 0 for path in tmp_path.iterdir()), "nothing can be written"
    else:
        with pytest.raises(WorkerFailed, match=reason):
            sandbox.run(Job("unguarded:run", Message(header), limits))
    assert time.monotonic() - started < 10


def test_after_all_of_them_the_sandbox_goes_on(sandbox):
    plain = {"source": "def controller(x):\n    return x[:2]\n"}
    answer = sandbox.run(Job("unguarded:run", Message(plain), Limits(wall_s=20)))
    assert answer.header["result"] == [1.0, 2.0]
