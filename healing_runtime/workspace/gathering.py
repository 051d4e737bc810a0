"""Mistakes gathered while a file is read, so that all of them come at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from healing_runtime.core.errors import InputError, NotFoundInCatalogue
from healing_runtime.workspace.document import Document, KeyPath
from healing_runtime.workspace.validation import dotted, in_order

T = TypeVar("T")


class Gathering:
    """What was found wrong so far."""

    def __init__(self) -> None:
        self.mistakes: list[InputError] = []

    def attempt(self, look: Callable[[], T]) -> T | None:
        """What `look` gives; None, and a mistake gathered, where it raises an `InputError`."""
        try:
            return look()
        except InputError as error:
            self.add(error)
            return None

    def add(self, error: InputError) -> None:
        """A mistake, and those that it brings along."""
        self.mistakes += [error, *error.more]
        error.more = ()

    def raise_all(self) -> None:
        """Raise what was gathered, the first mistake in the order of the file with the others as its `more`."""
        if self.mistakes:
            raise in_order(self.mistakes)


def located(document: Document, at: KeyPath, look_up: Callable[[], T]) -> T:
    """Run a look-up; a name that is not there is reported where the file uses it."""
    try:
        return look_up()
    except NotFoundInCatalogue as error:
        raise NotFoundInCatalogue(f"{dotted(at)}: {error.message}", where=document.where(at)) from None
