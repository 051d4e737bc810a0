"""Nothing that matters gets lost when a long recording is thinned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_runtime.core.status import Status
from healing_runtime.reports.scales import alone_among, spans, time_limits
from healing_runtime.reports.thinning import SEVERITY, condensed, kept, stretches


def test_few_samples_all_stay():
    assert kept([np.arange(10.0)], 10).tolist() == list(range(10))


@given(st.integers(0, 99_999), st.sampled_from([-np.inf, -5.0, 5.0, np.nan]))
def test_no_spike_and_no_hole_is_lost(at, value):
    values = np.sin(np.arange(100_000) / 500.0)
    values[at] = value
    found = kept([values, np.zeros(100_000)], 2000)
    assert at in found and {0, 99_999} <= set(found.tolist())
    assert len(found) <= 2600


def test_the_envelope_of_noise_is_kept_and_so_is_what_must_stay():
    values = np.random.default_rng(1).normal(size=50_000)
    found = kept([values], 1000, always=(7, 31_234))
    assert {7, 31_234} <= set(found.tolist())
    for start in range(0, 50_000, 1000):
        part = found[(found >= start) & (found < start + 1000)]
        inside = values[start : start + 1000]
        assert values[part].min() == inside.min() and values[part].max() == inside.max()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_stretches_say_the_status_of_every_sample(codes):
    status = np.array(codes)
    again = [one for s in stretches(status, 100) for one in [int(s.status)] * (s.last - s.first + 1)]
    assert again == codes


@given(st.lists(st.integers(0, 4), min_size=30, max_size=300), st.integers(1, 20))
def test_condensed_stretches_cover_the_run_and_tell_the_worst(codes, limit):
    status = np.array(codes)
    found = stretches(status, limit)
    assert len(found) <= limit
    assert [s.first for s in found] == [0, *(s.last + 1 for s in found[:-1])] and found[-1].last == len(codes) - 1
    for one in found:
        inside = {Status(int(c)) for c in status[one.first : one.last + 1]}
        assert SEVERITY.index(one.status) == max(SEVERITY.index(s) for s in inside)


def test_a_single_violation_among_many_changes_is_seen():
    status = np.tile([int(Status.TRUE), int(Status.VACUOUS)], 50_000)
    status[70_001] = int(Status.FALSE)
    assert condensed(status, 300)
    hit = [s for s in stretches(status, 300) if s.first <= 70_001 <= s.last]
    assert [s.status for s in hit] == [Status.FALSE]


def test_a_sample_stands_for_the_period_that_follows_it():
    t = np.array([2.0, 2.5, 3.0])
    status = np.array([int(Status.TRUE), int(Status.FALSE), int(Status.FALSE)])
    assert spans(status, t, 10) == [(2.0, 2.5, Status.TRUE), (2.5, 3.5, Status.FALSE)]
    assert time_limits(t) == (2.0, 3.5)
    assert time_limits(t[:1]) == (2.0, 3.0)


@pytest.mark.parametrize(
    ("values", "alone"),
    [([1.0], [True]), ([np.nan, 1.0, np.inf], [False, True, False]), ([1.0, 2.0, np.nan, 3.0], [False] * 3 + [True])],
)
def test_values_without_a_neighbour_are_found(values, alone):
    assert alone_among(np.array(values)).tolist() == alone
