"""A scenario that somebody's Python made, most often with `dataclasses.replace`, held to all that a file is held to.

A record of a run is read back with its types; what lies in memory may hold anything. So it is first read as its record
would be, and then completed as the file's reader completes a file: defaults filled in, whole numbers as floats.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from healing_runtime.core.codec import plain, read
from healing_runtime.core.errors import FileFormatError
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import Scenario
from healing_runtime.workspace.document import KeyPath
from healing_runtime.workspace.resolved import SECTIONS, must_be_legal, unplaced
from healing_runtime.workspace.sections import resolve_section
from healing_runtime.workspace.validation import dotted

_WHOLE = ("duration_ticks", "control_hz", "physics_hz", "seed")
_WHOLE_OF_FAULT = ("start_step", "until_step", "ramp_steps")


def as_a_record(made: Scenario) -> Scenario:
    """A scenario that somebody's Python made, with the types that a record of it would be read back with.

    Raises:
        InputError: it cannot be written, or would be read back as something else; the first thing that is wrong.
    """
    if not isinstance(made, Scenario):
        raise FileFormatError(f"a {type(made).__name__} is no scenario; give what load_scenario gives.")
    told, remedy = f"the scenario {made.name!r}", "change what load_scenario gives with dataclasses.replace."
    try:
        written = plain(made)
        record = read(Scenario, written)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what = f"{dotted(first['loc'])}: {first['msg']}"
        raise FileFormatError(f"{told}: {' '.join(what.split())}; {remedy}") from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise FileFormatError(f"{told}: {' '.join(str(error).split())}; {remedy}") from None
    whole: list[tuple[KeyPath, Any]] = [((key,), written[key]) for key in _WHOLE]
    for i, fault in enumerate(written["faults"]):
        whole += [(("faults", i, key), fault[key]) for key in _WHOLE_OF_FAULT if fault[key] is not None]
    for at, number in whole:
        if type(number) is not int:
            raise FileFormatError(f"{told}: {dotted(at)} is {number!r}; give a whole number.")
    return record


def completed(record: Scenario, robot: Robot) -> Scenario:
    """What `as_a_record` gave, with everything the robot declares as its models give it, and legal.

    Raises:
        InputError: the first thing that no scenario file can say, one line.
    """
    told, remedy = f"the scenario {record.name!r}", "correct it"
    document = unplaced(told, plain(record), remedy)

    def given(model: Any, value: Mapping[str, Any], at: KeyPath) -> Mapping[str, Any]:
        return resolve_section(model, document, plain(value), at)

    known = [(i, fault, robot.faults.get(fault.kind)) for i, fault in enumerate(record.faults)]
    scenario = dataclasses.replace(
        record,
        **{name: given(getattr(robot, name), getattr(record, name), (name,)) for name in SECTIONS},
        faults=tuple(
            dataclasses.replace(fault, parameters=given(kind.Parameters, fault.parameters, ("faults", i)))
            if kind is not None
            else fault
            for i, fault, kind in known
        ),
    )
    must_be_legal(scenario, robot, told, remedy)
    return scenario
