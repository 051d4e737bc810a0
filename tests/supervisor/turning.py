"""Rows of a recorded log, found and changed in one number."""

from __future__ import annotations

from tests.supervisor.conftest import repack

TICK = 17
"""The tick whose row is changed."""


def at(messages, topic, tick=TICK):
    return next(m for m in messages if m.topic == topic and m.content["tick"] == tick)


def turned(folder, topic, key, change):
    """Change one number of one row; gives what was there and what is."""
    numbers = []

    def edit_row(messages):
        row = at(messages, topic).content
        values = row.get("values", row)
        numbers.append(values[key])
        values[key] = change(values[key])
        numbers.append(values[key])

    repack(folder, edit_row)
    return numbers
