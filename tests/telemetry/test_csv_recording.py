"""CSV files as people have them: what is read, what is invalid, and what is refused with its line and column."""

from __future__ import annotations

import contextlib
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_runtime.core.errors import FileFormatError, InputError, UnitError
from healing_runtime.telemetry.columns import recording_of
from healing_runtime.telemetry.csv_recording import read_csv
from healing_runtime.telemetry.headings import Names, meaning

HEAD = "t [s],altitude [m]\n"


@pytest.fixture
def load(tmp_path, table):
    def read(text, hz=None, names=None):
        path = tmp_path / "flight.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        period = None if hz is None else 1 / Fraction(hz)
        return recording_of([read_csv(path, period, Names(names or {}))], "flight.csv", "quad", table, period)

    return read


def values(recording, name="altitude"):
    return [None if math.isnan(v) else v for v in recording.signals[name].tolist()]


# ---------------------------------------------------------------- what is read
@pytest.mark.parametrize(
    ("heading", "name", "entry", "factor"),
    [
        ("altitude [m]", "altitude", None, 1.0),
        ("altitude_m", "altitude", None, 1.0),
        ("altitude[cm]", "altitude", None, 0.01),
        ("altitude_mm", "altitude", None, 0.001),
        ("  altitude  [ km ] ", "altitude", None, 1000.0),
        ("tilt [deg]", "tilt", None, math.pi / 180),
        ("tilt_deg", "tilt", None, math.pi / 180),
        ("velocity.x [m/s]", "velocity", 0, 1.0),
        ("velocity_mps.z", "velocity", 2, 1.0),
        ("velocity[1] [km/s]", "velocity", 1, 1000.0),
        ("rotor_speed[3] [rpm]", "rotor_speed", 3, math.pi / 30),
        ("rotor_speed_radps[0]", "rotor_speed", 0, 1.0),
        ("observed(altitude) [m]", "observed(altitude)", None, 1.0),
        ("observed(altitude_m)", "observed(altitude)", None, 1.0),
        ("observed(velocity).y [m/s]", "observed(velocity)", 1, 1.0),
        ("observed(velocity.y) [m/s]", "observed(velocity)", 1, 1.0),
        ("contact", "contact", None, 1.0),
        ("contact [-]", "contact", None, 1.0),
        ("charge [%]", "charge", None, 0.01),
    ],
)
def test_a_heading_names_a_signal_an_entry_and_a_unit(table, heading, name, entry, factor):
    found = meaning(heading, None, table)
    assert (found.name, found.entry) == (name, entry)
    assert found.factor == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "t [s],altitude [m]\n0,1\n0.5,2\n",
        "time_s,altitude_m\n0,1\n0.5,2\n",
        "timestamp [ms],altitude [cm]\n0,100\n500,200\n",
        "Time_ns;altitude_m\n0;1\n500000000;2\n",
        "t [s]\taltitude [m]\n0\t1\n0.5\t2\n",
        "\ufefft [s],altitude [m]\r\n0,1\r\n0.5,2\r\n",
        "# a logger\n\n# two lines\nt [s],altitude [m]\n0,1\n# half way\n\n0.5,2\n",
        '"t [s]","altitude [m]"\n"0","1"\n"0.5","2"\n',
        "t [s], altitude [m]\n 0, 1 \n 0.5, 2e0 \n",
        "altitude [m],t [s]\n1,0\n2,0.5\n",
    ],
)
def test_what_loggers_write_is_read(load, text):
    recording = load(text)
    assert values(recording) == [1.0, 2.0]
    assert recording.period_s == Fraction(1, 2) and recording.t_s.tolist() == [0.0, 0.5]
    assert recording.notes == ()


@pytest.mark.parametrize("cell", ["", " ", "nan", "NaN", "inf", "-Infinity", "null", "n/a"])
def test_a_value_that_is_none_is_invalid_and_never_passed_over(load, cell):
    recording = load(f"{HEAD}0,1\n0.5,{cell}\n1,3\n")
    assert values(recording) == [1.0, None, 3.0]


def test_truth_is_written_in_words_or_numbers(load):
    recording = load("t [s],contact\n0,true\n1,FALSE\n2,1\n3,0\n")
    assert values(recording, "contact") == [1.0, 0.0, 1.0, 0.0]


def test_columns_that_mean_nothing_are_left_out_and_said(load):
    recording = load("t [s],altitude [m],mode,operator\n0,1,idle,A\n1,2,flying,B\n")
    assert recording.notes == ("left out, no such signals: mode, operator",)
    assert recording.columns == ("altitude [m]", "mode", "operator")


def test_components_without_a_column_are_nan(load):
    recording = load("t [s],velocity.z [m/s]\n0,1\n1,2\n")
    np.testing.assert_array_equal(recording.signals["velocity"], [[np.nan, np.nan, 1], [np.nan, np.nan, 2]])


def test_a_reader_may_say_what_a_column_is(load):
    text = "stamp,alt,altitude [m]\n0,100,7\n1,200,8\n"
    recording = load(text, names={"stamp": "t [s]", "alt": "altitude [cm]"})
    assert values(recording) == [1.0, 2.0]
    assert recording.notes == ("left out, no such signals: altitude [m]",)


# ---------------------------------------------------------------- time
def stamps(times):
    return HEAD + "".join(f"{t},{i}\n" for i, t in enumerate(times))


@pytest.mark.parametrize(
    ("times", "rate"),
    [
        ([f"{k / 48:.3f}" for k in range(200)], Fraction(48)),
        ([f"{k / 48:.6f}" for k in range(20)], Fraction(48)),
        ([f"{1764086400 + k / 100:.2f}" for k in range(50)], Fraction(100)),
        ([repr(k / 3) for k in range(9)], Fraction(3)),
        ([f"{k * 2.5}" for k in range(9)], Fraction(2, 5)),
        ([f"{0.003 + k / 10:.3f}" for k in range(9)], Fraction(10)),
    ],
)
def test_the_rate_is_measured_and_snapped(load, times, rate):
    recording = load(stamps(times))
    assert 1 / recording.period_s == rate
    assert values(recording) == [float(i) for i in range(len(times))]


def test_a_missing_sample_is_invalid_and_said(load):
    recording = load(stamps([0, 0.1, 0.2, 0.4, 0.5, 0.8]))
    assert values(recording) == [0, 1, 2, None, 3, 4, None, None, 5]
    assert recording.notes == ("3 of 9 samples are missing at 10 Hz: invalid (first at 0.3 s)",)


def test_a_sample_beside_its_tick_is_invalid_and_said(load):
    recording = load(stamps(["0.000", "0.100", "0.200", "0.302", "0.400", "0.500", "0.6009"]), hz=10)
    assert values(recording) == [0, 1, 2, None, 4, 5, 6]
    assert recording.notes[0] == "1 of 7 samples lie more than 1% of a period off: invalid"
    assert "1 of 7 samples are missing" in recording.notes[1]


def test_a_digit_with_an_exponent_is_worth_what_it_counts(load):
    written = ["0e0", "1e-1", "2e-1", "302e-3", "4.0E-1", "5e-1", "6009e-4"]
    assert values(load(stamps(written), hz=10)) == [0, 1, 2, None, 4, 5, 6]
    assert 1 / load(stamps([f"{k / 48:.6e}" for k in range(90)])).period_s == 48
    with pytest.raises(FileFormatError, match="do not lie on ticks of"):
        load(stamps([f"{t}e-1" for t in (0, 10, 23, 31, 46, 52, 65)]))
    with pytest.raises(FileFormatError, match="two samples fall on one tick of 1 Hz"):
        load(stamps(["0e0", "1e-2", "4e-1", "1e0", "2e0", "3e0"]), hz=1)


def test_a_stated_rate_beats_the_measured_one(load):
    recording = load(stamps([0, 0.5, 1.0]), hz=4)
    assert values(recording) == [0, None, 1, None, 2]


def test_one_sample_needs_a_stated_rate(load):
    assert values(load(f"{HEAD}3,1\n", hz=10)) == [1.0]


def test_without_a_time_column_the_rate_counts(load):
    recording = load("altitude [m]\n1\n2\n3\n", hz=Fraction(25, 2))
    assert recording.t_s.tolist() == [0.0, 0.08, 0.16]


def test_dates_are_counted_from_the_first_sample(load):
    recording = load(stamps(["1764086400.0", "1764086400.1", "1764086400.2"]))
    assert recording.t_s.tolist() == [0.0, 0.1, 0.2]
    assert recording.notes == ("times count from the first sample, at 1764086400.000 s",)


# ---------------------------------------------------------------- what is refused
BAD = [
    ("", FileFormatError, "flight.csv: the file is empty"),
    ("# only a remark\n\n", FileFormatError, "the file is empty"),
    (HEAD, FileFormatError, "flight.csv:1: there are no samples"),
    ("0,1\n1,2\n", FileFormatError, "flight.csv:1: '0' is no name"),
    ("t [s],\n0,1\n", FileFormatError, "flight.csv:1: column 2 has no name"),
    ("t [s],altitude [m],altitude [m]\n0,1,1\n", FileFormatError, "two columns are called 'altitude [m]'"),
    ("t [s],altitude [m],altitude_cm\n0,1,1\n1,1,1\n", FileFormatError, "'altitude_cm' are the same signal"),
    ("t [s],altitude [m],time_ms\n0,1,1\n", FileFormatError, "'t [s]' and 'time_ms' both tell the time"),
    ("altitude [m]\n1\n", FileFormatError, "no column tells the time"),
    ("t [s],altitude\n0,1\n1,2\n", UnitError, "flight.csv:1: column 'altitude' has no unit"),
    ("t,altitude [m]\n0,1\n1,2\n", UnitError, "flight.csv:1: column 't' has no unit; write 't [s]'"),
    ("t [m],altitude [m]\n0,1\n1,2\n", UnitError, "column 't [m]': time is measured in s"),
    ("t [s],altitude [deg]\n0,1\n1,2\n", UnitError, "column 'altitude [deg]': altitude is measured in m"),
    ("t [s],altitude [ft]\n0,1\n1,2\n", UnitError, "column 'altitude [ft]': 'ft' is not a unit"),
    ("t [s],altitude_m [m]\n0,1\n1,2\n", UnitError, "column 'altitude_m [m]' has two units"),
    ("t [s],contact [m]\n0,1\n1,2\n", UnitError, "contact is measured in no unit"),
    ("t [s],tilt [Hz]\n0,1\n1,2\n", UnitError, "tilt is measured in rad"),
    ("t [s],altitude.x [m]\n0,1\n1,2\n", FileFormatError, "altitude is one number; leave 'x' out"),
    ("t [s],velocity [m/s]\n0,1\n1,2\n", FileFormatError, "velocity has 3 components; write one of x, y, z"),
    ("t [s],velocity.w [m/s]\n0,1\n1,2\n", FileFormatError, "velocity has no component 'w'"),
    ("t [s],rotor_speed[4] [rpm]\n0,1\n1,2\n", FileFormatError, "rotor_speed has no component '4'"),
    ("t [s],height [m]\n0,1\n1,2\n", FileFormatError, "no column names a signal of quad"),
    (f"{HEAD}0,1\n1,high\n", FileFormatError, "flight.csv:3: column 'altitude [m]': 'high' is no number"),
    (f"{HEAD}0,1\n1,0x10\n", FileFormatError, "flight.csv:3: column 'altitude [m]': '0x10' is no number"),
    (f"{HEAD}0,1\n1,1_000\n", FileFormatError, "flight.csv:3: column 'altitude [m]': '1_000' is no number"),
    (f"{HEAD}0,1\n1,true\n", FileFormatError, "column 'altitude [m]' holds true or false"),
    (f"{HEAD}0,1\n1\n", FileFormatError, "flight.csv:3: the line has 1 fields and the header 2"),
    (f"{HEAD}0,1\n1,2,5\n", FileFormatError, "flight.csv:3: the line has 3 fields and the header 2; decimals"),
    (
        "t [s];altitude [m]\n0;1,5\n1;2\n",
        FileFormatError,
        "flight.csv:2: column 'altitude [m]': '1,5' is no number; write",
    ),
    (f'{HEAD}0,1\n1,"2\n', FileFormatError, "flight.csv:3: it is no CSV here"),
    (f"{HEAD}0,1\nnoon,2\n", FileFormatError, "flight.csv:3: column 't [s]': 'noon' is no number"),
    (f"{HEAD}0,1\n,2\n", FileFormatError, "flight.csv:3: the sample has no time"),
    (f"{HEAD}0,1\ninf,2\n", FileFormatError, "flight.csv:3: the sample has no time"),
    (f"{HEAD}0,1\n1,2\n1,3\n", FileFormatError, "flight.csv:4: time stands still at 1 s"),
    (f"{HEAD}0,1\n1,2\n# remark\n0.5,3\n", FileFormatError, "flight.csv:5: time goes back to 0.5 s"),
    (f"{HEAD}3,1\n", FileFormatError, "flight.csv:2: one sample has no rate"),
    (stamps([*range(30), 900_000]), FileFormatError, "flight.csv:32: 899971 s pass without a sample"),
    (stamps([0, 1, 2.3, 3.1, 4.6, 5.2, 6.5]), FileFormatError, "do not lie on ticks of"),
    (b"\xff\xfet\x00", FileFormatError, "flight.csv: byte 0 is no UTF-8"),
    (b"PK\x03\x04\x14\x00\xf0\x9f", FileFormatError, "is no UTF-8"),
]


@pytest.mark.parametrize(("text", "kind", "said"), BAD, ids=[said[:40] for _, _, said in BAD])
def test_bad_input_is_one_line_with_its_place(load, text, kind, said):
    with pytest.raises(InputError) as found:
        load(text)
    message = str(found.value)
    assert type(found.value) is kind and said in message and "flight.csv" in message, message
    assert "\n" not in message and message.endswith(".")


@pytest.mark.parametrize(("hz", "said"), [(7, "do not lie on ticks of 7 Hz"), (1, "two samples fall on one tick")])
def test_a_wrong_rate_is_refused(load, hz, said):
    with pytest.raises(FileFormatError, match=said):
        load(stamps([f"{k / 4:.2f}" for k in range(12)] if hz == 7 else [0, 0.5, 1, 1.005]), hz=hz)


def wide(columns):
    return f"t [s],altitude [m],{','.join(f'c{i}' for i in range(columns - 2))}\n" + "".join(
        f"{t},{','.join(['1'] * (columns - 1))}\n" for t in range(3)
    )


def test_a_file_may_be_wide_but_not_without_end(load):
    assert len(load(wide(10_000)).columns) == 9_999
    with pytest.raises(
        FileFormatError, match=r"flight.csv:1: the line names 10001 columns, and 10000 at most are read"
    ):
        load(wide(10_001))
    with pytest.raises(FileFormatError, match="two columns are called 'c7'"):
        load(wide(10_000).replace(",c9000,", ",c7,"))


def test_a_wrong_name_for_a_column_is_refused(load):
    with pytest.raises(FileFormatError, match="there is no column 'alt'; there are altitude"):
        load(f"{HEAD}0,1\n1,1\n", names={"alt": "altitude [m]"})
    with pytest.raises(FileFormatError, match=r"'hight .m.' is no signal; there are"):
        load("t [s],alt\n0,1\n1,1\n", names={"alt": "hight [m]"})


CELLS = st.sampled_from(
    ["0", "1", "0.5", "-3e4", "nan", "", "x", '"', "1,5", "true", "∞", "9" * 400, "\x00", "#", "1e999"]
)
HEADINGS = st.sampled_from(
    ["t [s]", "time", "altitude [m]", "altitude_cm", "velocity.x [m/s]", "contact", "[", "a[]", "é"]
)


@settings(max_examples=300)
@given(st.lists(HEADINGS, max_size=4), st.lists(st.lists(CELLS, max_size=4), max_size=5), st.sampled_from(",;\t"))
def test_whatever_stands_in_a_file_it_is_read_or_refused(tmp_path_factory, table, headings, rows, separator):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text("\n".join(separator.join(row) for row in [headings, *rows]), "utf-8")
    try:
        recording = recording_of([read_csv(path)], "any.csv", "quad", table, None)
    except InputError as error:
        assert "any.csv" in str(error) and "\n" not in str(error)
    else:
        assert all(len(samples) == len(recording.t_s) for samples in recording.signals.values())
        assert not any(np.isinf(samples).any() for samples in recording.signals.values())


@settings(max_examples=150)
@given(st.binary(max_size=60))
def test_whatever_bytes_a_file_has_it_is_read_or_refused(tmp_path_factory, table, data):
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(data)
    with contextlib.suppress(InputError):
        recording_of([read_csv(path)], "bytes.csv", "quad", table, None)
