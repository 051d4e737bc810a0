"""Every hostile source through the whole gate, and what came of it: `python tests/adversarial/report.py`.

A process of its own plays the supervisor, with a key in its environment and files beside the scratch folder; this one
watches it, so that its death would be seen. Prints a table, and exits with 1 if anything got out, got through, was
refused elsewhere or for another reason than it should be, or took longer than it may. `--part N/M` takes every M-th
source.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LIMIT_S = {"contract": 2, "syntax": 2, "ownership": 2, "trace": 12, "passes": 12, "export": 64, "flights": 240}
"""Seconds to a refusal, by its stage: the limits of the jobs (10 s, twice 30 s, 120 s), and time to enforce them."""
FAST = ("contract", "syntax", "ownership", "trace", "passes")


class Case(NamedTuple):
    """A source, the original it is a patch of, and where and why it must be refused."""

    name: str
    text: str
    original: str
    kind: str
    stages: tuple[str, ...]
    reason: str
    examined: tuple[int, float]


def cases(scratch: str) -> list[Case]:
    """Both corpora: what was given, and our own."""
    import sources
    from test_corpus import EXPECTED

    given = [
        Case(
            f"given/{id}",
            sources.adapted(text),
            sources.ORIGINAL,
            "file",
            (EXPECTED[id][0],),
            EXPECTED[id][1],
            (0, 0.05),
        )
        for id, text in sources.corpus(scratch).items()
    ]
    own = [
        Case(
            name,
            *sources.written(case),
            case.get("kind", "file"),
            tuple(case["stage"].split("|")),
            case["reason"],
            (case.get("samples", 0), case.get("spread", 0.05)),
        )
        for name, case in sources.cases().items()
    ]
    return [*given, *own]


# ---------------------------------------------------------------- the process that plays the supervisor
def judge_all(scratch: str, names: list[str]) -> Iterator[dict[str, Any]]:
    """A line for each source, in order; the last tells what a worker of the same zygote sees."""
    import gate_kit as kit

    from healing_runtime.gate.kept_programs import KeptPrograms
    from healing_runtime.gate.policy import Gate
    from healing_runtime.gate.records import Resume
    from healing_runtime.sandbox.zygote import DEFAULT_MODULES, Job, Message, Sandbox

    known = {case.name: case for case in cases(scratch)}
    gates: dict[Any, Gate] = {}
    with Sandbox(2, modules=(*DEFAULT_MODULES, "canary"), path=[HERE]) as sandbox:
        zygote = sandbox.zygote_pid
        for case in (known[name] for name in names):
            key = (case.original, case.examined)
            if key not in gates:
                samples, spread = case.examined
                context = kit.context(original=case.original, samples=samples, spread=spread)
                gates[key] = Gate(sandbox, context, KeptPrograms.none())
            started = time.monotonic()
            refusal = gates[key].judge(kit.proposal(case.text, case.kind), kit.incident(), (Resume(0),)).refusal
            took_s = time.monotonic() - started
            told = [refusal.stage.value, refusal.reason] if refusal else None
            yield {"name": case.name, "told": told, "took_s": took_s, "zygote_lives": sandbox.zygote_pid == zygote}
        beside = [str(path) for path in Path(scratch).parent.rglob("*") if path.is_file()]
        header = {"processes": [os.getpid(), zygote, 1, *_others()], "files": beside}
        yield {"seen": dict(sandbox.run(Job("canary:look", Message(header))).header), "level": sandbox.confinement}


def _others() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()][:400]


# ---------------------------------------------------------------- the process that watches
def report(part: tuple[int, int], show: Any = print) -> int:
    """Judge, watch, print; the number of things that went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        (Path(folder) / "keys.txt").write_text(_secret())
        (Path(folder) / ".env").write_text(f"OPENAI_API_KEY={_secret()}\n")
        before = _files(Path(folder))
        wanted = {case.name: case for i, case in enumerate(cases(str(scratch))) if i % part[1] == part[0]}
        lines, deaths = _watched(str(scratch), list(wanted))
        outside = sorted(_files(Path(folder)).items() ^ before.items())
    seen = next((line for line in lines if "seen" in line), None)
    judged = {line["name"]: line for line in lines if "name" in line}
    faults = {
        "escapes": [name for name, line in judged.items() if line["told"] is None],
        "refused elsewhere": [n for n, line in judged.items() if line["told"] and not _as_it_should(wanted[n], line)],
        "over the limit": [
            n for n, line in judged.items() if line["told"] and line["took_s"] > LIMIT_S[line["told"][0]]
        ],
        "supervisor deaths": deaths,
        "zygote deaths": [name for name, line in judged.items() if not line["zygote_lives"]],
        "files outside scratch": outside,
        "keys seen": seen["seen"]["found"] if seen else ["nobody looked"],
        "never judged": sorted(set(wanted) - set(judged)),
    }
    _table(judged, show)
    if seen:
        show(f"a worker, confined by {seen['level']}, read {seen['seen']['scanned'] >> 20} MiB of its memory and found "
             f"{len(seen['seen']['found'])} keys")  # fmt: skip
    for what, found in faults.items():
        show(f"{what}: {len(found)}" + (f" ({', '.join(map(str, found))[:300]})" if found else ""))
    return sum(map(len, faults.values()))


def _as_it_should(case: Case, line: dict[str, Any]) -> bool:
    stage, reason = line["told"]
    return stage in case.stages and re.search(case.reason, reason) is not None


def _watched(scratch: str, names: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """What the supervisor tells of the sources, and those at which it died; another one goes on after them."""
    lines: list[dict[str, Any]] = []
    deaths: list[str] = []
    while True:
        command = [sys.executable, __file__, "--supervise", scratch, *names]
        environment = {**os.environ, "GEMINI_API_KEY": _secret(), "OPENAI_API_KEY": _secret(), "JAX_PLATFORMS": "cpu"}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        told = [json.loads(line) for line in done.stdout.splitlines()]
        lines += told
        if done.returncode == 0:
            return lines, deaths
        names = names[sum("name" in line for line in told) :]
        deaths.append(names[0] if names else "at its end")
        names = names[1:]


def _table(judged: dict[str, Any], show: Any) -> None:
    show(f"{'category':14} {'sources':>7} {'median ms':>9} {'slowest s':>9}  refused by")
    for category in dict.fromkeys(name.partition("/")[0] for name in judged):
        lines = [line for name, line in judged.items() if name.startswith(f"{category}/")]
        by = Counter(line["told"][0] for line in lines if line["told"])
        times = [line["took_s"] for line in lines]
        stages = " ".join(f"{stage} {count}" for stage, count in by.most_common())
        show(f"{category:14} {len(lines):7} {1e3 * statistics.median(times):9.1f} {max(times):9.2f}  {stages}")
    static = [line["took_s"] for line in judged.values() if line["told"] and line["told"][0] in FAST]
    if static:
        median_ms, slowest_s = 1e3 * statistics.median(static), max(static)
        show(f"static stages: {len(static)} sources, median {median_ms:.1f} ms, slowest {slowest_s:.2f} s")


def _files(folder: Path) -> dict[str, bytes]:
    """Everything around the scratch folder and in the checkout's root, with its content."""
    around = {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}
    return around | {f"root/{path.name}": b"" for path in ROOT.iterdir()}


def _secret() -> str:
    return "canary-key-" + secrets.token_hex(16)


def main() -> None:
    """Parse the arguments and do it."""
    sys.path[:0] = [str(HERE.parent / "gate"), str(HERE)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", default="0/1", metavar="N/M")
    parser.add_argument("--supervise", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.supervise:
        for line in judge_all(arguments.supervise[0], arguments.supervise[1:]):
            print(json.dumps(line), flush=True)
        return
    number, of = map(int, arguments.part.split("/"))
    sys.exit(1 if report((number, of)) else 0)


if __name__ == "__main__":
    main()
