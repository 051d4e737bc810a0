"""The picture opens and has its size; the page holds the samples that matter and asks nobody for anything."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import re
import sys
from html.parser import HTMLParser

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from healing_runtime.core.errors import InputError
from healing_runtime.reports.figures import SAMPLES, figure
from healing_runtime.reports.page import page
from healing_runtime.reports.picture import in_detail, picture, row_title
from healing_runtime.reports.sentences import CONDENSED

from .conftest import landing, with_signal

FORMULAS = {
    "kept": "always (speed < v_max)",
    "implication": "always (near_ground implies settled(v_max))",
    "until": "always (altitude > 1 m implies (speed > 0.1 m/s until[0 s, 5 s] near_ground))",
    "since": "always (contact implies (near_ground since[0 s, 1 s] (speed > 0.1 m/s)))",
    "vacuous": "always (altitude > 9 m implies speed < v_max)",
    "flag": "eventually[0 s, 6 s] contact",
    "equal": "always (position.z == altitude)",
    "two sides": "always (speed * speed < v_max * v_max + abs(speed) * speed)",
}


def sizes(png: bytes) -> tuple[int, int]:
    image = Image.open(io.BytesIO(png))
    image.verify()
    return image.size


class Loads(HTMLParser):
    """What a browser would fetch, and the text of inline programs."""

    def __init__(self):
        super().__init__()
        self.fetched, self.ids, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        self.fetched += [(tag, key, v) for key, v in attrs if key in ("src", "srcset", "data", "poster", "action")]
        self.fetched += [(tag, "href", found["href"])] if "href" in found and tag != "a" else []


def figures_of(text: str):
    raw = re.search(r"^const figures = (.*);$", text, re.MULTILINE)
    assert raw
    return json.loads(raw[1])


def violated():
    recording = with_signal(landing(), "speed", slice(20, 23), 0.7)
    return with_signal(recording, "speed", 22, 0.9)


# ---------------------------------------------------------------- pictures
@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_a_picture_opens_at_the_promised_width_and_a_figure_is_one_plotly_takes(drawn, formula):
    recording = landing()
    found = drawn(recording, formula, tolerance="1 cm")
    width, height = sizes(picture(found, recording))
    assert width == 1200 and 300 < height < 3000
    go.Figure(figure(found[0]))


@pytest.mark.parametrize(
    "recording",
    [
        violated(),
        with_signal(landing(), "speed", slice(0, 61), np.nan),
        with_signal(landing(), "speed", 30, np.inf),
        landing(0.0),
        with_signal(landing(0.0), "speed", 0, np.nan),
        dataclasses.replace(landing(), robot="", notes=("3 samples are missing",)),
    ],
    ids=["violated", "all NaN", "infinite", "one sample", "one NaN", "notes"],
)
def test_odd_recordings_are_drawn(drawn, recording):
    found = drawn(recording, FORMULAS["kept"], FORMULAS["implication"])
    assert sizes(picture(found, recording))[0] == 1200
    for timeline in found:
        go.Figure(figure(timeline))
    text = page(found, recording)
    assert all(note in text for note in recording.notes)


def test_the_same_input_gives_the_same_bytes(drawn):
    recording = violated()
    one, other = (drawn(recording, *FORMULAS.values(), tolerance="1 cm") for _ in range(2))
    assert picture(one, recording) == picture(other, recording)
    assert page(one, recording) == page(other, recording)


def test_drawing_leaves_no_global_state(drawn):
    import matplotlib
    from matplotlib import _pylab_helpers

    before = dict(matplotlib.rcParams)
    picture(drawn(landing(), FORMULAS["kept"]), landing())
    assert dict(matplotlib.rcParams) == before
    assert not _pylab_helpers.Gcf.get_all_fig_managers()


def test_the_worst_come_first_and_what_has_no_room_is_told(drawn):
    long = "always (near_ground implies (settled(v_max) and settled(0.6 m/s) and altitude > -1 m))"
    found = drawn(violated(), long, long.replace("-1 m", "-2 m"), "always (speed < v_max)")
    shown, left_out = in_detail(found)
    assert shown[0].id == "a2"
    assert {timeline.id for timeline in (*shown, *left_out)} == {"a0", "a1", "a2"} and left_out
    assert sum(len(timeline.rows) for timeline in shown) <= 12


# ---------------------------------------------------------------- pages
def test_a_page_asks_nobody_for_anything(drawn):
    text = page(drawn(landing(), *FORMULAS.values(), tolerance="1 cm"), landing())
    loads = Loads()
    loads.feed(text)
    assert loads.fetched == []
    assert all(link.startswith("#") and link[1:] in loads.ids for link in loads.links) and len(loads.links) == 8
    assert len(loads.ids) == len(set(loads.ids))
    assert "default-src 'none'" in text and "sendChartToCloud" in text.rpartition("modeBarButtonsToRemove")[2]


def test_a_page_holds_the_worst_instant_and_the_violation(drawn):
    recording = violated()
    text = page(drawn(recording, "always (tilt < 5 deg)", "always (speed < v_max)"), recording)
    (_, figure_) = figures_of(text)[1]
    line = next(d for d in figure_["data"] if "customdata" in d and "speed %{y" in d["hovertemplate"])
    at = line["x"].index(2.2)
    assert line["y"][at] == pytest.approx(0.9) and "m/s" in line["hovertemplate"]
    tick, status, margin, *_ = line["customdata"][at]
    assert (tick, status, margin) == (22, "✗ false", "−0.4")
    labels = [note["text"] for note in figure_["layout"]["annotations"]]
    assert "<b>violated at 2 s (tick 20)</b>" in labels and "worst: 0.9 m/s, margin −0.4 m/s" in labels
    assert "v_max = 0.5 m/s" in labels
    assert "<td class=\"bad\">✗ false  −0.4 m/s</td>" in text


def test_a_sample_without_a_value_is_a_hole_in_the_line(drawn):
    (found,) = drawn(with_signal(landing(), "speed", slice(30, 32), np.nan), FORMULAS["kept"])
    line = next(d for d in figure(found)["data"] if "speed %{y" in d.get("hovertemplate", ""))
    assert [i for i, y in enumerate(line["y"]) if y is None] == [30, 31]
    assert line["customdata"][30][1:3] == ["! invalid", "invalid"]


def test_rows_share_one_axis_of_seconds(drawn):
    (found,) = drawn(landing(), FORMULAS["implication"])
    document = figure(found)
    assert {trace.get("xaxis", "x") for trace in document["data"]} == {"x"}
    axes = [key for key in document["layout"] if key.startswith("yaxis")]
    assert len(axes) == sum(1 + row.has_numbers for row in found.rows)
    domains = sorted(document["layout"][key]["domain"] for key in axes)
    assert all(low < high for low, high in domains) and domains[0][0] >= 0 and domains[-1][1] <= 1
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(domains))


def test_names_are_shown_and_never_run(drawn):
    recording = dataclasses.replace(landing(), name="</script><script>alert(1)</script>")
    found = [
        dataclasses.replace(timeline, id="<img src=x onerror=alert(1)>", english="a < b & c", rationale="</script>")
        for timeline in drawn(recording, FORMULAS["kept"], FORMULAS["flag"])
    ]
    hostile = [tuple(dataclasses.replace(row, text="</script><b>") for row in timeline.rows) for timeline in found]
    found = [dataclasses.replace(timeline, rows=rows) for timeline, rows in zip(found, hostile, strict=True)]
    text = page(found, recording)
    loads = Loads()
    loads.feed(text)
    assert loads.fetched == [] and "a &lt; b &amp; c" in text
    assert len(figures_of(text)) == 2
    assert text.count("</script>") == 2, "Plotly and ours"
    assert "</" not in next(line for line in text.splitlines() if line.startswith("const figures"))


def test_the_instants_that_matter_stay_in_a_thinned_line(drawn):
    recording = landing(2000.0)
    ramp = np.linspace(0.0, 1.0, len(recording))
    recording = dataclasses.replace(recording, signals={**recording.signals, "speed": ramp})
    (found,) = drawn(recording, FORMULAS["kept"])
    assert found.violation is not None
    drawn_at = [d["x"] for d in figure(found)["data"] if "customdata" in d]
    assert all(pytest.approx(float(found.t_s[found.violation])) in x for x in drawn_at) and len(drawn_at) == 2


def test_a_long_recording_keeps_its_spike_and_stays_small(drawn):
    recording = landing(2000.0)
    recording = with_signal(recording, "speed", 13_579, 7.0)
    found = drawn(recording, FORMULAS["kept"])
    document = figure(found[0])
    line = next(d for d in document["data"] if "speed %{y" in d.get("hovertemplate", ""))
    assert max(y for y in line["y"] if y is not None) == pytest.approx(7.0)
    assert line["x"][line["y"].index(max(line["y"]))] == pytest.approx(1357.9)
    assert all(len(d["x"]) <= 1.5 * SAMPLES for d in document["data"])
    assert sizes(picture(found, recording))[0] == 1200


def test_a_strip_that_changes_too_often_says_that_it_is_condensed(drawn):
    recording = landing(400.0)
    recording = dataclasses.replace(
        recording, signals={**recording.signals, "contact": np.arange(len(recording)) % 2 * 1.0}
    )
    (restless,) = drawn(recording, "always (not contact)")
    (calm,) = drawn(recording, FORMULAS["kept"])
    said = [CONDENSED in json.dumps(figure(timeline)["layout"]) for timeline in (restless, calm)]
    assert said == [True, False]
    assert CONDENSED in [line for line, _ in row_title(restless.rows[1])]
    assert sizes(picture([restless], recording))[0] == 1200


# ---------------------------------------------------------------- bad input
@pytest.mark.parametrize(("draw", "package"), [(picture, "matplotlib"), (page, "plotly")])
def test_a_missing_package_is_one_line_with_the_command(draw, package, drawn, monkeypatch):
    found = drawn(landing(), FORMULAS["flag"])
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"need {package}; pip install 'healing-runtime\[plot\]'"):
        draw(found, landing())


@pytest.mark.parametrize("draw", [picture, page])
def test_nothing_to_draw_is_refused(draw):
    with pytest.raises(InputError, match="no assertion to draw"):
        draw([], landing())
