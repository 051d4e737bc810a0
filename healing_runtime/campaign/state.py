"""The record of a search: what is searched, and every flight that was flown, one line each.

    runs/falsify/<scenario>-<8 hex>/
        record.jsonl   counterexample.yaml   shrunk.yaml   result.json

A search depends on its seed and on what its flights show, and on nothing else. So the flights are all that has to be
kept: a search that goes on asks for the same ones again and finds them here. A line is written whole and flushed; after
a kill at any byte the last one may be cut off, and is dropped.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self

from healing_runtime.campaign.flying import Outcome
from healing_runtime.core import codec
from healing_runtime.core.errors import InputError, RecordError
from healing_runtime.core.records import Scenario

FORMAT = 1
RECORD = "record.jsonl"
RESULT = "result.json"


class Record:
    """An open record; `search` says in plain values what is searched.

    It is locked while it is open: two searches in one folder would fly everything twice and write in turns.
    """

    def __init__(self, folder: Path, file: BinaryIO, *, begun: bool = False) -> None:
        self.folder, self._file, self._begun = folder, file, begun
        self._known: dict[str, Outcome] = {}
        self.flown = 0
        """Flights written down since it was opened."""

    @classmethod
    def begin(cls, folder: Path, search: Mapping[str, Any]) -> Self:
        """A new record in a folder, which is made.

        Raises:
            InputError: it cannot be written to, or there is a record already.
        """
        path = folder / RECORD
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        except FileExistsError:
            if path.exists():
                message = f"{folder} holds a search already; go on with --resume {folder}, or give another --out."
                raise InputError(message) from None
            raise InputError(f"{folder} is a file; give a folder with --out.") from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"nothing can be written to {folder}: {reason}; give another folder with --out.") from None
        record = cls(folder, os.fdopen(descriptor, "r+b"), begun=True)
        record._lock()
        record._write({"format": FORMAT, "search": search})
        return record

    @classmethod
    def resume(cls, folder: Path, search: Mapping[str, Any]) -> Self:
        """The record of this very search, with the flights in it.

        Raises:
            InputError: there is none, it is of another search, or it is in use.
            RecordError: a line in it is damaged.
        """
        path = folder / RECORD
        try:
            file = path.open("r+b")
        except OSError:
            raise InputError(f"{folder} holds no {RECORD} that can be read; give the folder of a search.") from None
        record = cls(folder, file)
        try:
            record._lock()
            record._read(search)
        except BaseException:
            file.close()
            raise
        return record

    def find(self, scenario: Scenario) -> Outcome | None:
        """What a scenario's flight showed, if it was flown."""
        return self._known.get(codec.digest(scenario))

    def keep(self, scenario: Scenario, values: Mapping[str, float], outcome: Outcome) -> None:
        """Write a flight down; `values` are for people who read the record."""
        key = codec.digest(scenario)
        self._write({"scenario": key, "at": values, "seed": scenario.seed, "outcome": outcome})
        self._known[key] = outcome
        self.flown += 1

    def conclude(self, document: Mapping[str, Any]) -> None:
        """Write the result, whole or not at all."""
        write_whole(self.folder / RESULT, json.dumps(codec.plain(document), indent=2) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._file.close()
        if self._begun and not self._known and isinstance(error, InputError):
            # Nothing could be flown, and it is the user's to mend: the same command must find the place free again.
            (self.folder / RECORD).unlink()
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def _read(self, search: Mapping[str, Any]) -> None:
        """The flights in the file; a last line that was cut off is dropped."""
        path = self.folder / RECORD
        lines, whole = _whole_lines(self._file.read())
        self._file.truncate(whole)
        self._file.seek(whole)
        if not lines:  # killed before it began
            self._write({"format": FORMAT, "search": search})
            return
        head = _line(path, 1, lines[0])
        if head.get("format") != FORMAT:
            raise InputError(f"{path} has another format than this version writes; search anew in another --out.")
        if other := _difference(head.get("search"), codec.plain(search)):
            raise InputError(f"{self.folder} is the record of another search: {other}; search anew in another --out.")
        for number, line in enumerate(lines[1:], 2):
            entry = _line(path, number, line)
            try:
                self._known[entry["scenario"]] = codec.read(Outcome, entry["outcome"])
            except (KeyError, ValueError):
                raise _damaged(path, number) from None

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise InputError(
                f"another search is at work in {self.folder}; wait for it, or give another --out."
            ) from None

    def _write(self, entry: Mapping[str, Any]) -> None:
        self._file.write(codec.canonical(entry) + b"\n")
        self._file.flush()


def write_whole(path: Path, text: str) -> None:
    """Write a file beside its place and move it there."""
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def _whole_lines(data: bytes) -> tuple[list[bytes], int]:
    """The lines that end, and how many bytes they take."""
    whole = data.rfind(b"\n") + 1
    return data[:whole].splitlines(), whole


def _line(path: Path, number: int, line: bytes) -> Any:
    try:
        entry = json.loads(line)
    except ValueError:
        raise _damaged(path, number) from None
    if not isinstance(entry, dict):
        raise _damaged(path, number)
    return entry


def _damaged(path: Path, number: int) -> RecordError:
    if number == 1:
        return RecordError(f"{path}:1: the line that says what was searched is damaged; begin anew in another folder.")
    return RecordError(f"{path}:{number}: this line is damaged; remove it and its flight is flown again.")


def _difference(there: Any, here: Mapping[str, Any]) -> str:
    """The first thing in which two searches differ, or nothing."""
    if not isinstance(there, dict):
        return "it does not say of which"
    for name, value in here.items():
        if there.get(name) != value:
            if isinstance(value, dict):
                return _difference(there.get(name), value) and f"the {name} differ"
            short = all(len(str(v)) < 40 for v in (value, there.get(name)))
            return f"{name} is {there.get(name)} there and {value} here" if short else f"the {name} differs"
    return "" if set(there) == set(here) else "it was made by another version"
