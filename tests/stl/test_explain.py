"""Readings in English: what they say, and that different formulas read differently."""

from __future__ import annotations

import functools
import random
import re

import numpy as np
import pytest

from healing_runtime import stl
from healing_runtime.core.signals import Signal
from healing_runtime.stl.formula import Apply

SIGNALS = {
    "altitude": Signal("altitude", "m"),
    "speed": Signal("speed", "m/s"),
    "tilt": Signal("tilt", "rad"),
    "contact": Signal("contact"),
    "landed": Signal("landed"),
    "velocity": Signal("velocity", "m/s", (3,), ("x", "y", "z")),
}
CONSTANTS = {"v_max": "0.5 m/s", "soon": "200 ms", "a_max": "2 m/s2"}
DEFINITIONS = {
    "near": "altitude < 30 cm",
    "settled(v)": "speed < v and tilt < 5 deg",
    "calm": "settled(v_max) and not near",
    "over(d)": "altitude > d",
    "twice(e)": "over(e) and speed < 1 m/s",
    "down": "landed",
    "vz": "velocity.z",
    "recently": "once[0 s, 2 s] contact",
}


def parse(text, **options):
    return stl.parse(text, signals=SIGNALS, constants=CONSTANTS, definitions=DEFINITIONS, **options)


READINGS = [
    # outermost layers
    ("always (speed < v_max)", "At all times speed is below v_max (0.5 m/s)."),
    ("always (altitude < 30 cm implies speed < 1 m/s)", "Whenever altitude is below 30 cm, speed is below 1 m/s."),
    ("always (rise(contact) implies speed < 1 m/s)", "When contact becomes true, speed is below 1 m/s."),
    (
        "always (rise(contact) and tilt > 5 deg implies speed < 1 m/s)",
        "When contact becomes true and tilt is above 5 deg, speed is below 1 m/s.",
    ),
    ("always (not (contact and tilt > 5 deg))", "It never happens that contact is true and tilt is above 5 deg."),
    ("always[0 s, 2 s] contact", "At all times within the first 2 s, contact is true."),
    (
        "always[0 s, 2 s] (contact implies landed)",
        "At all times within the first 2 s, whenever contact is true, landed is true.",
    ),
    ("contact and landed", "At the start, contact is true and landed is true."),
    ("contact implies landed", "At the start, if contact is true, then landed is true."),
    ("eventually[1 s, 2 s] contact", "At some time between 1 s and 2 s after the start, contact is true."),
    (
        "(always contact) and (eventually landed)",
        "At all times contact is true; and at some time in the run, landed is true.",
    ),
    # windows, nested ones told from the moment just spoken of
    (
        "always (contact implies eventually[0 s, 1 s] (always[0 s, 2 s] landed))",
        "Whenever contact is true, at some time within the next 1 s, at all times within 2 s from then, "
        "landed is true.",
    ),
    (
        "always (once[1 s, 1 s] (historically[0 s, 2 s] contact))",
        "At all times, at some time exactly 1 s ago, at all times within the 2 s before then, contact is true.",
    ),
    (
        "always (eventually[0 s, soon] contact)",
        "At all times, at some time within the next soon (200 ms), contact is true.",
    ),
    ("always (once[0 ticks, 3 ticks] contact)", "At all times, at some time within the last 3 ticks, contact is true."),
    ("always (historically contact)", "At all times, at all times so far, contact is true."),
    # until, since, held_for, edges
    (
        "(altitude > 1 m) until[0 s, 2 s] contact",
        "From the start, altitude is above 1 m until contact is true, and that happens within the first 2 s.",
    ),
    (
        "contact until landed",
        "From the start, contact is true until landed is true, and that happens before the run ends.",
    ),
    (
        "always (contact since[0 s, 2 s] landed)",
        "At all times, at some time within the last 2 s, landed is true, and ever since then, contact is true.",
    ),
    (
        "always (held_for[1 s](altitude < 1 m) implies contact)",
        "Whenever altitude has been below 1 m for 1 s, contact is true.",
    ),
    ("always (fall(contact) implies landed)", "When contact becomes false, landed is true."),
    ("always (rise(altitude < 1 m) implies landed)", "When altitude comes to be below 1 m, landed is true."),
    (
        "always (fall(near) implies landed)",
        "When near ceases to hold, landed is true, where near means altitude is below 30 cm.",
    ),
    ("always (prev(contact) implies landed)", "Whenever (one tick earlier, contact is true), landed is true."),
    (
        "always ((once landed) implies contact)",
        "Ever since the first moment at which landed is true, contact is true.",
    ),
    # Boolean operators
    ("always (not contact)", "At all times contact is false."),
    ("always (not (speed < 1 m/s))", "At all times speed is not below 1 m/s."),
    ("always (not rise(contact))", "At all times contact does not become true."),
    ("always (not (contact implies landed))", "It never happens that if contact is true, then landed is true."),
    ("always (contact iff landed)", "At all times, contact is true exactly when landed is true."),
    ("always (contact xor landed)", "At all times, either contact is true or landed is true, but not both."),
    (
        "always (contact and (landed or tilt > 5 deg))",
        "At all times contact is true and (landed is true or tilt is above 5 deg).",
    ),
    (
        "always (rise(contact) implies not (once[1 ticks, 3 ticks] contact))",
        "When contact becomes true, it has not happened between 1 tick and 3 ticks ago that contact is true.",
    ),
    # names and what they stand for
    (
        "always (near implies settled(0.1 m/s))",
        "Whenever near holds, settled(0.1 m/s) holds, where near means altitude is below 30 cm; "
        "settled(0.1 m/s) means speed is below 0.1 m/s and tilt is below 5 deg.",
    ),
    (
        "always calm",
        "At all times calm holds, where calm means settled(v_max) holds and near does not hold; "
        "settled(v_max) means speed is below v_max (0.5 m/s) and tilt is below 5 deg; near means altitude "
        "is below 30 cm.",
    ),
    ("always down", "At all times down holds, where down means landed is true."),
    ("always (vz < 1 m/s)", "At all times vz is below 1 m/s, where vz means velocity[2]."),
    (
        "always recently",
        "At all times recently holds, where recently means at some time within the last 2 s, contact is true.",
    ),
    (
        "always (speed * speed < 2 * a_max * (altitude - 1 m))",
        "At all times speed * speed is below 2 * a_max * (altitude - 1 m), where a_max is 2 m/s2.",
    ),
    # the same words for two things: written out
    (
        "always (twice(1 m) or twice(2 m))",
        "At all times twice(1 m) holds or twice(2 m) holds, where twice(1 m) means over(e) holds and speed is below "
        "1 m/s; twice(2 m) means altitude is above 2 m and speed is below 1 m/s; over(e) means altitude is above 1 m.",
    ),
    # sensors
    ("always (observed(altitude) < 1 m)", "At all times the observed altitude is below 1 m."),
    ("always (observed(velocity.z) < 1 m/s)", "At all times the observed velocity.z is below 1 m/s."),
    ("always (abs(velocity.z) < max(speed, 1 m/s))", "At all times abs(velocity.z) is below max(speed, 1 m/s)."),
    (
        "always (settled(1 m/s) and over(1 m))",
        "At all times settled(1 m/s) holds and over(1 m) holds, where settled(1 m/s) means speed is below 1 "
        "m/s and tilt is "
        "below 5 deg; over(1 m) means altitude is above 1 m.",
    ),
]


@pytest.mark.parametrize(("text", "english"), READINGS, ids=[text for text, _ in READINGS])
def test_a_reading(text, english):
    assert stl.explain(parse(text)) == english


def test_equality_says_its_tolerance_with_a_unit():
    assert stl.explain(parse("always (altitude == 1 m)", tolerance="1 cm")) == (
        "At all times altitude is equal to 1 m to within 0.01 m."
    )


@pytest.mark.parametrize(
    ("text", "tolerance", "said"),
    [
        ("tilt == 30 deg", "10 deg", "30 deg to within 10 deg"),
        ("tilt == abs(tilt) * 2", "10 deg", "abs(tilt) * 2 to within 10 deg"),
        ("tilt == abs(tilt) * 2", "0.1 rad", "abs(tilt) * 2 to within 0.1 rad"),
        ("tilt == 0.5 rad", "10 deg", "0.5 rad to within 0.174533 rad"),
        ("altitude == 80 cm", "5 cm", "80 cm to within 5 cm"),
        ("altitude / speed == 200 ms", "20 ms", "200 ms to within 20 ms"),
        ("altitude / altitude == 1", "0.1", "1 to within 0.1"),
    ],
)
def test_a_tolerance_is_told_in_the_units_that_people_wrote(text, tolerance, said):
    assert stl.explain(parse(f"always ({text})", tolerance=tolerance)).endswith(f"is equal to {said}.")


def test_a_mission_is_what_the_flight_is_for():
    def english(text):
        return stl.explain(parse(text), mission=True)

    assert english("eventually[0 s, 12 s] landed") == (
        "The flight is to reach, within the first 12 s, a moment at which landed is true."
    )
    assert english("eventually landed") == "The flight is to reach a moment at which landed is true."
    assert english("(altitude > 1 m) until landed").startswith("The flight is to fulfil this: from the start, ")


def test_every_operator_can_be_explained_and_says_what_it_is():
    for operator in stl.OPERATORS.values():
        text = f"{operator.name}{_WINDOWS[operator.window]} (contact)"
        text = text if operator.arity == 1 else f"(contact) {text}"
        formula = parse(text)
        assert isinstance(formula, Apply) and formula.operator == operator.name
        assert len(stl.explain(formula)) > 5


# ---------------------------------------------------------------- generated formulas
_WINDOWS = {"none": "", "optional": "[0 s, 1 s]", "duration": "[1 s]"}
_ATOMS = (
    "contact", "landed", "altitude < 1 m", "altitude <= 1 m", "1 m < altitude", "altitude > 1 m", "near",
    "down", "recently",
    "settled(v_max)", "over(1 m)", "over(2 m)", "twice(1 m)", "twice(2 m)", "calm", "vz > 0 m/s", "true", "false",
    "altitude - (0.5 m + altitude) < 1 m", "altitude - 0.5 m + altitude < 1 m", "speed < v_max",
    "altitude < 3 s * v_max",
    "-altitude < 1 m", "abs(velocity.x) < max(speed, 1 m/s)", "observed(altitude) < 1 m", "norm(velocity) > 1 m/s",
)  # fmt: skip
_BOUNDS = ("[0 s, 1 s]", "[0 s, 2 s]", "[1 s, 2 s]", "[1 s, 1 s]", "[0 ticks, 3 ticks]", "")


class Generator:
    """Formulas as trees of text, so that one place of a tree can be changed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def tree(self, depth):
        if depth == 0 or self.random.random() < 0.2:
            return (self.random.choice(_ATOMS),)
        operator = self.random.choice(list(stl.OPERATORS.values()))
        bounds = {"none": "", "duration": self.random.choice(("[1 s]", "[2 s]"))}.get(operator.window)
        bounds = self.random.choice(_BOUNDS) if bounds is None else bounds
        return (operator.name, bounds, *(self.tree(depth - 1) for _ in range(operator.arity)))

    def changed(self, tree):
        """The tree with one place in it drawn anew, or its arguments exchanged."""
        if len(tree) == 1 or self.random.random() < 0.3:
            return self.tree(1)
        if len(tree) == 4 and self.random.random() < 0.3:
            return (*tree[:2], tree[3], tree[2])
        place = self.random.randrange(2, len(tree))
        return (*tree[:place], self.changed(tree[place]), *tree[place + 1 :])


def text_of(tree):
    if len(tree) == 1:
        return tree[0]
    arguments = [f"({text_of(argument)})" for argument in tree[2:]]
    head = f"{tree[0]}{tree[1]}"
    return f"{head} {arguments[0]}" if len(arguments) == 1 else f"{arguments[0]} {head} {arguments[1]}"


def recording(seed, length=7):
    rng = np.random.default_rng(seed)
    scalars = {name: rng.integers(0, 5, length) / 2.0 for name in ("altitude", "speed", "tilt")}
    flags = {name: rng.integers(0, 2, length).astype(float) for name in ("contact", "landed")}
    sensors = {"observed(altitude)": rng.integers(0, 5, length) / 2.0}
    return {**scalars, **flags, **sensors, "velocity": rng.integers(-3, 4, (length, 3)) / 2.0}


RECORDINGS = [recording(seed) for seed in range(8)]


def same_verdicts(one, other):
    return all(
        np.array_equal(getattr(a, part), getattr(b, part))
        for data in RECORDINGS
        for a, b in [(stl.verdicts(one, data, 1.0, end="truncate"), stl.verdicts(other, data, 1.0, end="truncate"))]
        for part in ("status", "rho")
    )


def well_formed(english):
    depth = 0
    for character in english:
        depth += (character == "(") - (character == ")")
        assert depth >= 0, english
    assert depth == 0, english
    assert english.endswith(".") and not english.endswith(".."), english
    assert not re.search(r"  | ,|\.\s|\.$", english[:-1]), english
    assert english[0].isupper(), english


def test_generated_formulas_read_well_and_differ_where_they_mean_different_things():
    generator, readings, compared = Generator(1), {}, 0
    for _ in range(400):
        tree = generator.tree(3)
        for text in (text_of(tree), text_of(generator.changed(tree))):
            formula = parse(text)
            for mission in (False, True):
                english = stl.explain(formula, mission=mission)
                well_formed(english)
                other = readings.setdefault((english, mission), formula)
                if other != formula:
                    compared += 1
                    assert same_verdicts(formula, other), (english, text)
    assert compared  # some formulas that are written in two ways read alike


def test_small_formulas_all_read_differently():
    """Every operator over every operator, the same atoms in the same order: only the grouping tells some apart."""
    readings = {}
    unary, binary = ([o for o in stl.OPERATORS.values() if o.arity == arity] for arity in (1, 2))
    p, q, r = (("altitude < 1 m",), ("contact",), ("landed",))
    trees = []
    for outer in stl.OPERATORS.values():
        head = (outer.name, _WINDOWS[outer.window])
        for inner in unary:
            leaf = (inner.name, _WINDOWS[inner.window])
            trees += [(*head, (*leaf, p))] if outer.arity == 1 else [(*head, (*leaf, p), q), (*head, p, (*leaf, q))]
        for inner in binary:
            leaf = (inner.name, _WINDOWS[inner.window])
            if outer.arity == 1:
                trees += [(*head, (*leaf, p, q)), (*leaf, (*head, p), q), (*leaf, p, (*head, q))]
            else:
                trees += [(*head, (*leaf, p, q), r), (*head, p, (*leaf, q, r))]
    for tree in trees:
        formula = parse(text_of(tree))
        for judged in (formula, Apply("always", (formula,))):
            english = stl.explain(judged)
            well_formed(english)
            other = readings.setdefault(english, judged)
            assert other == judged or same_verdicts(other, judged), english


def test_long_chains_and_deep_formulas_are_read_too():
    p, q = parse("contact"), parse("landed")
    for word in ("and", "or"):
        chain = functools.reduce(lambda left, right, word=word: Apply(word, (left, right)), [p, q] * 150)
        ahead = Apply("and", (chain, parse("eventually landed")))
        for english in (stl.explain(chain), stl.explain(ahead).split("; and at some time")[0]):
            assert english.count("is true") == 300
    nested = "(" * 30 + "contact" + " xor landed)" * 30
    well_formed(stl.explain(parse(f"always ({nested})")))
