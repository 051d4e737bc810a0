"""From the word on the command line to a brain. A new brain is one file and one line in `_KINDS`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from healing_runtime.brains.brain import Brain, BrainContext
from healing_runtime.core.errors import InputError


class Spec(NamedTuple):
    """A brain as asked for: `gemini:gemini-3-pro-preview` is kind `gemini` with that argument."""

    kind: str
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.argument}" if self.argument else self.kind


class Kind(NamedTuple):
    """One kind of brain: how it is written, and how it is made. Imports wait until one is asked for."""

    form: str
    make: Callable[[str, BrainContext], Brain]


def _embedded(argument: str, context: BrainContext) -> Brain:
    from healing_runtime.brains.embedded.brain import EmbeddedBrain

    return EmbeddedBrain(context)


def _gemini(argument: str, context: BrainContext) -> Brain:
    from healing_runtime.brains.gemini import GeminiBrain, GeminiSettings

    return GeminiBrain(context, GeminiSettings(model=argument) if argument else GeminiSettings())


def _mock(argument: str, context: BrainContext) -> Brain:
    from healing_runtime.brains.mock import MockBrain

    return MockBrain.from_file(Path(argument))


def _cassette(argument: str, context: BrainContext) -> Brain:
    from healing_runtime.brains.cassette import Cassette, CassetteBrain

    path, _, recorded = argument.partition("=")
    cassette = Cassette(Path(path), must_exist=not recorded)
    return CassetteBrain(cassette, inner=make(recorded, context) if recorded else None)


_KINDS: Mapping[str, Kind] = {
    "embedded": Kind("embedded", _embedded),
    "gemini": Kind("gemini[:MODEL]", _gemini),
    "cassette": Kind("cassette:FILE[=BRAIN]", _cassette),
    "mock": Kind("mock:FILE", _mock),
}


def kinds() -> tuple[str, ...]:
    """Name the kinds there are."""
    return tuple(_KINDS)


def forms() -> tuple[str, ...]:
    """How each kind is written, for help texts and messages."""
    return tuple(kind.form for kind in _KINDS.values())


def parse(spec: str) -> Spec:
    """Read a brain's specification without making it (or importing anything).

    Raises:
        InputError: no such brain (the message names the nearest), a file that is not named, a model where none belongs.
    """
    word, colon, argument = spec.strip().partition(":")
    if word.startswith("gemini-") and not colon:
        return Spec("gemini", word)
    if word not in _KINDS:
        near = difflib.get_close_matches(word, [*_KINDS, "none"], n=1, cutoff=0.6)
        meant = f"Did you mean '{near[0]}'? " if near else ""
        raise InputError(f"'{spec}' is not a brain. {meant}Brains: {', '.join(forms())}, none.")
    form = _KINDS[word].form
    if argument and ":" not in form:
        raise InputError(f"'{spec}': this brain takes no argument; write '{word}'.")
    if not argument and (colon or form.startswith(f"{word}:")):
        raise InputError(f"'{spec}' names nothing after the colon; write '{form}'.")
    if word == "cassette" and "=" in argument:
        path, _, recorded = argument.partition("=")
        if not path or parse(recorded).kind == "cassette":
            raise InputError(f"'{spec}': write '{form}', with the file to record to and a brain that is no cassette.")
    return Spec(word, argument)


def check(spec: str) -> None:
    """Refuse a specification that cannot work, before anything flies; `none` is fine. Reads files, asks no network.

    Raises:
        InputError: as `make`.
    """
    if spec != "none":
        make(spec, BrainContext()).close()


def make(spec: str, context: BrainContext) -> Brain:
    """Make the brain that `spec` names (`none` is not a brain: the caller flies without one).

    Raises:
        InputError: as `parse`, and what the brain says of its file.
    """
    kind, argument = parse(spec)
    return _KINDS[kind].make(argument, context)
