"""What to write instead, for mistakes that show only when names and units are settled (`mistakes` has the others)."""

from __future__ import annotations

from healing_runtime.core import units
from healing_runtime.stl.dimensions import usual_unit
from healing_runtime.stl.elsewhere import HOURS, SAID_ELSEWHERE, UNITS_ELSEWHERE, WORDS_ELSEWHERE
from healing_runtime.stl.formula import Dimension, Expression, Number, references
from healing_runtime.stl.vocabulary import Vocabulary


def without_unit(number: Number, text: str, dimension: Dimension, parameter: bool) -> str:
    """What is said of a bare number; it is mended where it is written, which may be under `constants`.

    `text` stands in the formula, and may be the name of a constant or of a `parameter`.
    """
    unit, meets, written = usual_unit(dimension), units.symbols(dimension), number.text
    if "%" in written or "percent" in written:
        return f"'{text}' is a share without a unit and meets {meets}; write an amount in '{unit}'."
    if number.name:
        what = f"the constant '{number.name}' has no unit and meets {meets}"
        return f"{what}; define it with one, as in '{number.name}: {written} {unit}'."
    if parameter:
        return f"'{text}' (here '{written}') has no unit and meets {meets}; give it one, as in '{written} {unit}'."
    return f"'{text}' has no unit and meets {meets}; give '{text}' a unit, as in '{text} {unit}'."


def one_of(side: Expression, words: Vocabulary) -> str:
    """How to write one component of the vector in an expression: `velocity.x`, `rotor_speed[0]`."""
    vector = next((reference for reference in references(side) if reference.size), None)
    if vector is None or words.true is None:
        return "name one"
    names = (words.observed if vector.observed else words.true)[vector.signal].components
    return f"name one, as in '{vector.text}.{names[0]}'" if names else f"write an index, as in '{vector.text}[0]'"


def quotient(number: str, word: str) -> str | None:
    """`3 km` over `h` -> `3 km / (3600 s)`, for a word that may be meant for a unit."""
    if word.lower() in HOURS:
        return f"{number} / (3600 s)"
    ours = UNITS_ELSEWHERE.get(word.lower())
    return None if ours is None else f"{number}/{ours}"


def word_elsewhere(word: str, inside: str) -> str | None:
    """What to write for a word of another language with `inside` in parentheses after it."""
    word = word.lower()
    if word in WORDS_ELSEWHERE:
        return f"write '{WORDS_ELSEWHERE[word]}'"
    said = SAID_ELSEWHERE.get(word)
    return said.replace("(…)", f"({inside})") if said and word in ("never", "next") else said
