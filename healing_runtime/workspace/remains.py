"""What is left of a file when what is wrong with its form is left out, so that the rest can be looked at."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from healing_runtime.workspace.document import KeyPath

_ENTRIES, _NAMES = ("assertions", "mission"), ("constants", "definitions")


class Remains(NamedTuple):
    """A file without its mistakes.

    Attributes:
        value: with something harmless in the place of what must be there, every entry at its index.
        dropped: entries whose formula is not there, or depends on what was left out.
        names: constants and definitions that were left out.
        complete: the robot and the other names are there, so that formulas can be given a meaning.
    """

    value: dict[str, Any]
    dropped: frozenset[tuple[str, int]]
    names: frozenset[str]
    complete: bool


def remains(value: dict[str, Any], mistakes: Sequence[KeyPath]) -> Remains:
    """The file without what stands at the paths."""
    value, complete = copy.deepcopy(value), True
    dropped: set[tuple[str, int]] = set()
    names: set[str] = set()
    for path in sorted(mistakes, key=len):
        section = path[0] if path else ""
        if section == "robot":
            value["robot"], complete = "none", False
        elif len(path) == 1:
            # A key that nobody knows may have been meant for one of those with the names.
            complete = complete and section in _ENTRIES
            value.pop(str(section), None)
        elif section in _NAMES and isinstance(value.get(str(section)), dict):
            names.add(name_in(str(path[1])))
            value[str(section)].pop(path[1], None)
        elif section in _ENTRIES and isinstance(value.get(str(section)), list) and _drops(value[section], *path[1:]):
            dropped.add((str(section), int(path[1])))
    return Remains(value, frozenset(dropped), frozenset(names), complete)


_HARMLESS = {"robot": "none", "controller": "none", "duration": "1 s"}


def scenario_remains(value: dict[str, Any], mistakes: Sequence[KeyPath]) -> tuple[dict[str, Any], frozenset[Any]]:
    """A scenario file with something harmless at the paths, every fault at its index, and what was replaced.

    That are keys of the file, and ("faults", index) for one fault among others. Of a policy, nothing of which rests on
    another part of it, what is wrong is left out alone, and the rest can be looked at.
    """
    value = {**value, "faults": list(value["faults"])} if isinstance(value.get("faults"), list) else dict(value)
    wrong: set[Any] = set()
    for path in mistakes:
        key = str(path[0]) if path else ""
        if key == "faults" and len(path) > 1:
            value["faults"][path[1]] = {"kind": "none"}
            wrong.add(("faults", path[1]))
        elif key == "policy" and len(path) > 1:
            value[key] = {name: inner for name, inner in value[key].items() if name != path[1]}
        elif key in _HARMLESS:
            value[key] = _HARMLESS[key]
            wrong.add(key)
        else:
            value.pop(key, None)
            wrong.add(key)
    return value, frozenset(wrong)


def name_in(head: str) -> str:
    """`settled(v)` -> `settled`."""
    return head.partition("(")[0].strip()


def compares(formula: Any) -> bool:
    """Whether the text of a formula asks for the key `tolerance`."""
    return "==" in str(formula)


def _drops(entries: list[Any], index: Any, key: Any = None, *_: Any) -> bool:
    """Mend one entry; whether its formula cannot be looked at any more."""
    entry, harmless = entries[index], {"id": f"entry-{index}", "formula": "true"}
    if not isinstance(entry, dict):
        entries[index] = harmless
        return True
    if key in harmless:
        entry[key] = harmless[key]
        return key == "formula"
    known = key in ("severity", "scale", "requirement", "rationale")
    entry.pop(key, None)
    # The key may have been meant for `tolerance`.
    return not known and compares(entry.get("formula"))
