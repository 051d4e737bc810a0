"""Our own evaluation beside the oracles: many traces at a time, without compiling, every sample and every prefix."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime import stl
from healing_runtime.core.status import Status
from healing_runtime.stl.program import Program
from healing_runtime.stl.ticks import exact_period, in_ticks


def resolved(brute, f):
    return in_ticks(stl.parse(brute.text(f)), exact_period(1.0))


def arrays(traces):
    return {name: jnp.asarray([trace[name] for trace in traces], jnp.float32) for name in "xy"}


def traces(formulas, count, length, nans=0.0):
    """Random traces of one length; a share of them holds one or two NaN."""
    found = [formulas.trace(length) for _ in range(count)]
    for trace in found:
        if formulas.random.random() < nans:
            for _ in range(formulas.random.choice([1, 1, 2])):
                trace[formulas.random.choice("xy")][formulas.random.randrange(length)] = math.nan
    return found


def offline(brute, f, given, end):
    formula = stl.parse(brute.text(f))
    verdict = jax.vmap(lambda data: stl.verdicts(formula, data, 1.0, end=end))(arrays(given))
    return [np.asarray(part) for part in verdict]


def online(parsed, given, **options):
    """(now, ended, read off the state) of every formula at every tick; arrays [ticks, traces, formulas]."""
    program = Program(parsed, **options)

    def step(state, sample):
        state, out = program.update(state, lambda r: sample["xy".index(r.signal)], sample[0])
        return state, (out.now, out.ended, program.ended(state, sample[0]))

    samples = jnp.stack(list(arrays(given).values()), -1)
    state, outs = jax.vmap(lambda _: program.init(jnp.float32))(samples[:, 0]), []
    for tick in range(samples.shape[1]):
        state, out = jax.vmap(step)(state, samples[:, tick])
        outs.append(out)
    return jax.tree.map(lambda *parts: np.stack(parts), *outs)


def disagreement(brute, f, data, t, end, status, lo, hi):
    """What the definition says otherwise, or None."""
    word = brute.status(f, data, t, end)
    if Status(int(status)).word != word:
        return f"{Status(int(status)).word}, not {word}: {brute.text(f)} at {t}, {end}, of {data}"
    broken = any(math.isnan(value) for values in data.values() for value in values)
    expected = (-math.inf, math.inf) if word == "invalid" else None if broken else brute.bounds(f, data, t, end)
    if expected and (float(lo), float(hi)) != tuple(map(brute.rounded, expected)):
        return f"{(float(lo), float(hi))}, not {expected}: {brute.text(f)} at {t}, {end}, of {data}"
    return None


def offline_disagreements(brute, f, given, end):
    """Of every sample of every trace with the definition."""
    status, _, lo, hi = offline(brute, f, given, end)
    for row, data in enumerate(given):
        for t in range(len(data["x"])):
            found = disagreement(brute, f, data, t, end, status[row, t], lo[row, t], hi[row, t])
            if found:
                yield found


def online_disagreements(brute, f, given, **options):
    """Of every prefix of every trace with the definition, while running and at the end."""
    now, ended, state = online([resolved(brute, f)], given, **options)
    for one, other in zip(ended, state, strict=True):
        if not np.array_equal(one, other, equal_nan=True):
            yield f"the state says another end: {brute.text(f)}"
    for row, data in enumerate(given):
        for tick in range(len(data["x"])):
            prefix = {name: values[: tick + 1] for name, values in data.items()}
            for verdict, end in ((now, "running"), (ended, "ended")):
                status, _, lo, hi = (part[tick, row, 0] for part in verdict)
                found = disagreement(brute, f, prefix, 0, end, status, lo, hi)
                if found:
                    yield found
