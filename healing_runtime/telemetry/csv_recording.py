"""CSV -> columns: what loggers and spreadsheets write, read strictly; every refusal names line and column."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path

import numpy as np

from healing_runtime.core import units
from healing_runtime.core.errors import FileFormatError, Location, UnitError
from healing_runtime.telemetry.columns import Column, Together, must_be_few
from healing_runtime.telemetry.headings import Names, split_unit
from healing_runtime.telemetry.sampling import Stamps

TIME_NAMES = ("t", "time", "timestamp")
_TIME_SUFFIXES = {"_s": "s", "_ms": "ms", "_us": "µs", "_ns": "ns"}
_EMPTY = {"", "nan", "na", "n/a", "null", "none", "-"}
_INFINITE = {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
_WORDS = {"true": 1.0, "false": 0.0}


def read_csv(path: Path, period_s: Fraction | None = None, names: Names | None = None) -> Together:
    """All columns of a file and the time of its samples; without a time column they are `period_s` apart.

    The separator is comma, semicolon or tab; lines that begin with `#` are comments. Empty cells, `nan` and infinities
    are NaN.

    Raises:
        FileFormatError, UnitError: file:line, the column, what is wrong and what to do.
    """
    rows = _rows(path)
    header = next(rows, None)
    if header is None:
        raise FileFormatError("the file is empty; the first line names the columns.", where=Location(str(path)))
    line, written = header
    where = Location(str(path), line)
    _must_name(written, where)
    names = names or Names()
    names.must_be_in(written, where)
    headings = [names.of(heading) for heading in written]
    timed = [i for i, (heading, _) in enumerate(headings) if _time(heading)]
    timed = [i for i in timed if headings[i][1]] or timed
    if len(timed) > 1:
        one, other = (headings[i][0] for i in timed[:2])
        raise FileFormatError(f"columns '{one}' and '{other}' both tell the time; keep one.", where=where)
    if not timed and period_s is None:
        raise FileFormatError("no column tells the time; name one 't [s]', or state the rate with --rate.", where=where)
    cells = [_Cells(heading, named, where) for heading, named in headings]
    lines: list[int] = []
    last_digit = 0
    for line, row in rows:
        if len(row) != len(cells):
            raise FileFormatError(
                f"the line has {len(row)} fields and the header {len(cells)}; decimals are written with a point.",
                where=Location(str(path), line),
            )
        for column, cell in zip(cells, row, strict=True):
            column.add(cell, line)
        lines.append(line)
        if timed:
            last_digit = min(last_digit, _last_digit(row[timed[0]]))
    if not lines:
        raise FileFormatError("there are no samples below the header; record some.", where=where)

    def place(sample: int) -> Location:
        return Location(str(path), lines[sample])

    if timed:
        t_s, resolution_s = cells[timed[0]].seconds(last_digit)
        stamps = Stamps(t_s, resolution_s, place)
    else:
        assert period_s is not None
        stamps = Stamps(np.arange(len(lines)) * float(period_s), 0.0, place)
    return Together(tuple(column.read() for i, column in enumerate(cells) if i not in timed), stamps)


class _Cells:
    """The cells of one column, gathered line by line."""

    def __init__(self, heading: str, named: bool, where: Location) -> None:
        self._heading, self._named, self._where = heading, named, where
        self._values: list[float] = []
        self._words = False
        self._fault: FileFormatError | None = None

    def add(self, cell: str, line: int) -> None:
        """One more value; the first that is none is remembered."""
        word = cell.lower()
        self._words |= word in _WORDS
        try:
            self._values.append(_number(word))
        except ValueError:
            self._values.append(math.nan)
            advice = "write decimals with a point" if "," in cell else "write a number, true, false or nothing"
            where = Location(self._where.path, line)
            self._fault = self._fault or FileFormatError(
                f"column '{self._heading}': '{cell}' is no number; {advice}.", where=where
            )

    def read(self) -> Column:
        """The column."""
        return Column(self._heading, self._where, np.array(self._values), self._words, self._fault, self._named)

    def seconds(self, last_digit: int) -> tuple[np.ndarray, float]:
        """The column as time, and what its last digit is worth: one of 10 ** `last_digit` as the file counts."""
        factor = _seconds(self._heading, self._where)
        if self._fault is not None:
            raise self._fault
        return np.array(self._values) * factor, factor * 10.0**last_digit


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields; comments and blank lines are passed over."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"byte {error.start} is no UTF-8; save the file as CSV in UTF-8.", where=Location(str(path))
        ) from None
    except OSError as error:
        raise FileFormatError(
            f"it cannot be read: {(error.strerror or str(error)).lower()}.", where=Location(str(path))
        ) from None
    kept = ((n, line) for n, line in enumerate(io.StringIO(text, newline=None), 1) if not line.lstrip().startswith("#"))
    numbers: list[int] = []

    def lines() -> Iterator[str]:
        for number, line in kept:
            numbers.append(number)
            yield line

    source = lines()
    first = next((line for line in source if line.strip()), None)
    if first is None:
        return
    reader = csv.reader(_chain(first, source), delimiter=_separator(first), strict=True, skipinitialspace=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield numbers[-1], [cell.strip() for cell in row]
    except csv.Error as error:
        raise FileFormatError(f"it is no CSV here: {error}.", where=Location(str(path), numbers[-1])) from None


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _separator(header: str) -> str:
    outside = "".join(part for i, part in enumerate(header.split('"')) if i % 2 == 0)
    return max(",;\t", key=outside.count)


def _must_name(names: list[str], where: Location) -> None:
    must_be_few(len(names), f"the line names {len(names)} columns", where)
    for number, name in enumerate(names, 1):
        if not name:
            raise FileFormatError(f"column {number} has no name; the first line names the columns.", where=where)
        if _is_number(name):
            raise FileFormatError(f"'{name}' is no name; the first line names the columns.", where=where)
    double, times = Counter(names).most_common(1)[0]  # of equals the first
    if times > 1:
        raise FileFormatError(f"two columns are called '{double}'; keep one.", where=where)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(word: str) -> float:
    """A cell in lower case. ValueError if it is neither a number nor a word for one."""
    if word in _EMPTY or word in _INFINITE:
        return math.nan
    if word in _WORDS:
        return _WORDS[word]
    if "_" in word:
        raise ValueError("Python reads 1_000")
    return float(word)


def _last_digit(cell: str) -> int:
    """The power of ten that a number's last written digit counts: -3 in `0.125`, and in `1e-3` as well."""
    try:
        exponent = Decimal(cell).as_tuple().exponent
    except InvalidOperation:
        return 0
    return exponent if isinstance(exponent, int) else 0


def _time(heading: str) -> tuple[str, str | None] | None:
    """Name and unit of a heading that names the time; None for any other."""
    text, unit = split_unit(heading)
    if text.lower() in TIME_NAMES:
        return text, unit
    for suffix, named in _TIME_SUFFIXES.items():
        if unit is None and text.endswith(suffix) and text.removesuffix(suffix).lower() in TIME_NAMES:
            return text, named
    return None


def _seconds(heading: str, where: Location) -> float:
    """What one of a time column's numbers is in seconds."""
    text, unit = _time(heading) or (heading, None)
    if unit is None:
        raise UnitError(f"column '{heading}' has no unit; write '{text} [s]'.", where=where)
    if unit == "ns":  # not among our units, but what recorders count in
        return 1e-9
    if units.dimension(unit) != units.dimension("s"):
        raise UnitError(f"column '{heading}': time is measured in s, ms, µs or ns; write one of them.", where=where)
    return units.si_factor(unit)
