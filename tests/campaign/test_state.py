"""The record: whole after a kill at any byte, and of one search only."""

import json
import os

import pytest

from healing_runtime.campaign.flying import Outcome
from healing_runtime.campaign.state import RECORD, Record
from healing_runtime.core.errors import InputError, RecordError
from healing_runtime.core.records import FinalVerdict, Scenario
from healing_runtime.core.status import Severity, Status

SEARCH = {"scenario": "sha256:1", "seed": 3, "assertions": {"a": "sha256:2"}, "wanted": ["a"]}


def scenario(seed: int) -> Scenario:
    return Scenario("r/s", "r", "r/c", (), None, 10, 10, 10, seed, {"x_m": 0.1 * seed}, {})


def outcome(rho: float, status=Status.TRUE) -> Outcome:
    return Outcome((FinalVerdict("a", status, rho, rho / 3, Severity.CRITICAL, False, 4),), None, ())


def written(folder, flights=3) -> None:
    with Record.begin(folder, SEARCH) as record:
        for seed in range(flights):
            record.keep(scenario(seed), {"x_m": 0.1 * seed}, outcome(seed / 7))


def test_flights_are_found_again_bit_for_bit(tmp_path):
    odd = [outcome(float("inf")), outcome(float("-inf"), Status.FALSE), outcome(0.1 + 0.2)]
    with Record.begin(tmp_path / "s", SEARCH) as record:
        for seed, each in enumerate(odd):
            record.keep(scenario(seed), {}, each)
    with Record.resume(tmp_path / "s", SEARCH) as record:
        assert [record.find(scenario(seed)) for seed in range(3)] == odd
        assert record.find(scenario(3)) is None
        assert record.flown == 0


def test_a_margin_that_is_no_number_stays_none(tmp_path):
    with Record.begin(tmp_path / "s", SEARCH) as record:
        record.keep(scenario(0), {}, outcome(float("nan"), Status.INVALID))
    with Record.resume(tmp_path / "s", SEARCH) as record:
        (verdict,) = record.find(scenario(0)).verdicts
        assert verdict.status is Status.INVALID and verdict.robustness != verdict.robustness


def test_a_record_that_is_cut_anywhere_keeps_its_whole_lines(tmp_path):
    written(tmp_path / "whole")
    data = (tmp_path / "whole" / RECORD).read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    for cut in range(len(data) + 1):
        folder = tmp_path / "cut"
        folder.mkdir(exist_ok=True)
        (folder / RECORD).write_bytes(data[:cut])
        with Record.resume(folder, SEARCH) as record:
            flights = max(0, sum(end <= cut for end in ends) - 1)
            assert [record.find(scenario(s)) is not None for s in range(3)] == [s < flights for s in range(3)]
            record.keep(scenario(9), {}, outcome(0.5))
        lines = (folder / RECORD).read_bytes().splitlines()
        assert json.loads(lines[0])["search"] == SEARCH
        assert len(lines) == flights + 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 4}, "seed is 3 there and 4 here"),
        ({"assertions": {"a": "sha256:3"}}, "the assertions differ"),
        ({"wanted": ["b"]}, r"wanted is \['a'\] there"),
        ({"more": 1}, "more is None there"),
    ],
)
def test_the_record_of_another_search_is_refused_with_what_differs(tmp_path, change, said):
    written(tmp_path / "s")
    before = (tmp_path / "s" / RECORD).read_bytes()
    with pytest.raises(InputError, match=f"another search: {said}"):
        Record.resume(tmp_path / "s", {**SEARCH, **change})
    assert (tmp_path / "s" / RECORD).read_bytes() == before


def test_a_folder_that_holds_a_search_is_not_overwritten(tmp_path):
    written(tmp_path / "s")
    with pytest.raises(InputError, match="holds a search already; go on with --resume"):
        Record.begin(tmp_path / "s", SEARCH)


def test_places_that_cannot_hold_a_record_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file; give a folder"):
        Record.begin(tmp_path / "file", SEARCH)
    with pytest.raises(InputError, match="nothing can be written to"):
        Record.begin(tmp_path / "file" / "below", SEARCH)
    for name in ("file", "nowhere", "."):
        with pytest.raises(InputError, match=r"holds no record\.jsonl"):
            Record.resume(tmp_path / name, SEARCH)


@pytest.mark.parametrize("line", [b"{", b"[]", b"{}", b'{"scenario": "x", "outcome": {"verdicts": 1}}', b"\xff\xfe"])
def test_a_damaged_line_is_named(tmp_path, line):
    written(tmp_path / "s")
    path = tmp_path / "s" / RECORD
    lines = path.read_bytes().splitlines()
    lines[2] = line
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(RecordError, match=r"record\.jsonl:3: this line is damaged"):
        Record.resume(tmp_path / "s", SEARCH)


def test_a_damaged_first_line_is_not_to_be_removed(tmp_path):
    written(tmp_path / "s")
    path = tmp_path / "s" / RECORD
    path.write_bytes(b"{\n" + path.read_bytes().split(b"\n", 1)[1])
    with pytest.raises(RecordError, match=r"record\.jsonl:1: .* begin anew in another folder"):
        Record.resume(tmp_path / "s", SEARCH)


def test_two_searches_do_not_share_a_record(tmp_path):
    written(tmp_path / "s")
    with Record.resume(tmp_path / "s", SEARCH), pytest.raises(InputError, match="another search is at work"):
        Record.resume(tmp_path / "s", SEARCH)
    with Record.resume(tmp_path / "s", SEARCH):
        pass


def test_a_result_is_written_whole(tmp_path):
    written(tmp_path / "s")
    with Record.resume(tmp_path / "s", SEARCH) as record:
        record.conclude({"least": float("inf")})
    assert sorted(os.listdir(tmp_path / "s")) == [RECORD, "result.json"]
    assert json.loads((tmp_path / "s" / "result.json").read_text()) == {"least": "inf"}
