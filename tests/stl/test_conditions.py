"""Conditions: whether a formula is true at each sample, asked inside a monitor that judges other things."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime import stl
from healing_runtime.core.errors import AssertionSyntaxError, InputError, Location, UnitError, UnknownSignalError
from healing_runtime.core.signals import Layout, Signal, SignalTable

HEIGHT, SPEED = Signal("height", "m"), Signal("speed", "m/s")
CONTACT = Signal("contact")
TABLE = SignalTable(Layout((HEIGHT,)), Layout(()), Layout((HEIGHT, SPEED, CONTACT)))
HZ = 10

TEXTS = (
    "height < 0.5 m",
    "contact",
    "true",
    "not (height < 0.5 m) or speed > 1 m/s",
    "once[0 s, 0.3 s] (speed > 1 m/s)",
    "once[0.1 s, 1.5 s] (speed > 1 m/s)",
    "historically[0.1 s, 0.4 s] (height > 0 m)",
    "once (speed > 3 m/s)",
    "rise(height < 0 m)",
    "prev(contact) and fall(height > 0 m)",
    "(height > 0 m) since[0 s, 2 s] (contact)",
    "held_for[0.5 s] (height > -0.8 m)",
)


def samples(n=80, seed=3):
    rng = np.random.default_rng(seed)
    return np.stack([rng.normal(0, 1, n), rng.normal(0, 1.5, n), rng.integers(0, 2, n)], axis=1).astype(np.float32)


def asked(texts, rows, requirements=()):
    """Truth [samples, conditions], and the statuses of the requirements."""
    conditions = [stl.condition(text, TABLE, HZ) for text in texts]
    monitor = stl.online_all(requirements, TABLE, HZ, alone=True, conditions=conditions)

    def step(state, row):
        state, out = monitor.update(state, row, row[:1])
        return state, (out.conditions, out.now.status)

    return jax.tree.map(np.asarray, jax.lax.scan(step, monitor.init(), jnp.asarray(rows))[1])


@pytest.fixture(scope="module")
def truth():
    return asked(TEXTS, samples())[0]


def test_at_every_sample_it_is_what_the_definition_says(truth):
    rows = samples()
    signals = {"height": rows[:, 0], "speed": rows[:, 1], "contact": rows[:, 2]}
    for i, text in enumerate(TEXTS):
        formula = stl.condition(text, TABLE, HZ)
        low = np.asarray(stl.verdicts(formula, signals, 1 / HZ).rho_lo)
        assert np.array_equal(truth[low != 0, i], low[low != 0] > 0), text
        assert truth[:, i].any() and (text == "true" or not truth[:, i].all()), text


def test_a_sample_that_is_not_a_number_makes_nothing_true_until_it_has_left_the_window():
    rows = samples()
    rows[20, :] = np.nan
    spoilt, whole = asked(TEXTS, rows)[0], asked(TEXTS, samples())[0]
    reads = [i for i, text in enumerate(TEXTS) if text != "true"]
    assert not spoilt[20, reads].any(), "not even a disjunction, or a window that was true before"
    assert whole[20, TEXTS.index("once[0.1 s, 1.5 s] (speed > 1 m/s)")], "which does not look at this sample"
    assert np.array_equal(spoilt[:20], whole[:20])
    for text, after in (("height < 0.5 m", 21), ("once[0 s, 0.3 s] (speed > 1 m/s)", 24)):
        i = TEXTS.index(text)
        assert not spoilt[20:after, i].any() and np.array_equal(spoilt[after:, i], whole[after:, i])
    assert not spoilt[20:, TEXTS.index("once (speed > 3 m/s)")].any(), "a window without an end keeps it"


def test_conditions_judge_nothing_and_change_no_verdict():
    from healing_runtime.core.records import AssertionFile, AssertionText

    text = AssertionText("slow", "(once[0 s, 0.3 s] (speed > 1 m/s)) implies height < 2.5 m", Location("f.yaml", 1, 1))
    bound = stl.bind([AssertionFile("f", "f.yaml", "", "r", (text,))], TABLE, HZ)
    with_them, alone = asked(TEXTS, samples(), bound), asked((), samples(), bound)
    assert np.array_equal(with_them[1], alone[1]) and with_them[1].shape == (80, 1)
    assert alone[0].shape == (80, 0)


@pytest.mark.parametrize(
    ("text", "kind", "column", "words"),
    [
        ("heigth < 1 m", UnknownSignalError, 0, "height"),
        ("height < 1 s", UnitError, 9, "m"),
        ("height < 1", UnitError, 9, "1 m"),
        ("height", AssertionSyntaxError, 0, "compare"),
        ("height < 1 m and eventually (contact)", AssertionSyntaxError, 17, "'once'"),
        ("always (height < 1 m)", AssertionSyntaxError, 0, "'historically'"),
        ("contact until[0 s, 1 s] contact", AssertionSyntaxError, 0, "'since'"),
        ("contact and observed(height) < 1 m", AssertionSyntaxError, 12, "write 'height'"),
        ("once[0 s, 0.25 s] contact", AssertionSyntaxError, 10, "'2 ticks'"),
        ("once[0 s, 90000 s] contact", AssertionSyntaxError, 10, "shorten"),
        ("height < 1 m)", AssertionSyntaxError, 12, ""),
        ("height = 1 m", AssertionSyntaxError, 7, "'=='"),
        ("v_max > 1 m/s", UnknownSignalError, 0, "v_max"),
    ],
)
def test_what_cannot_be_one_is_refused_with_its_place(text, kind, column, words):
    with pytest.raises(InputError) as error:
        stl.condition(text, TABLE, HZ, Location("s.yaml", 4, 11))
    assert type(error.value) is kind, error.value
    where = error.value.where
    assert where is not None and (where.path, where.line) == ("s.yaml", 4)
    assert where.column == 11 + column, error.value
    assert words in str(error.value).partition("\n")[0]


def test_without_a_rate_it_is_read_all_the_same():
    stl.condition("once[0 s, 0.25 s] contact", TABLE, None)
    with pytest.raises(UnknownSignalError):
        stl.condition("once[0 s, 0.25 s] contacts", TABLE, None)
