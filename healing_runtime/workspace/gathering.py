"""Mistakes gathered while a file is read, so that all of them come at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from healing_runtime.core.errors import InputError, NotFoundInCatalogue
from healing_runtime.workspace.document import Document, KeyPath
from healing_runtime.workspace.validation import dotted, in_order

T = TypeVar("T")


class Gathering:
    """What was found wrong so far: of a document, from the start, the numbers in it that are unusable.

    What is said of such a number besides, or of the list that it stands in, is no mistake of its own.
    """

    def __init__(self, document: Document | None = None) -> None:
        self.mistakes: list[InputError] = [] if document is None else [*document.unusable_numbers()]
        paths = () if document is None else document.unusable
        lists = (at[:-1] for at in paths if isinstance(at[-1], int))
        self._told = {document.where(at) for at in (*paths, *lists)} if document else set()

    def attempt(self, look: Callable[[], T]) -> T | None:
        """What `look` gives; None, and a mistake gathered, where it raises an `InputError`."""
        try:
            return look()
        except InputError as error:
            self.add(error)
            return None

    def add(self, error: InputError) -> None:
        """A mistake, and those that it brings along."""
        self.mistakes += [one for one in (error, *error.more) if one.where not in self._told]
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
