from __future__ import annotations

import dataclasses
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from healing_runtime.brains.brain import BrainContext, Exchange
from healing_runtime.core.errors import Location
from healing_runtime.core.records import AssertionFile, AssertionText, Attempt, Proposal, RepairRequest, StageResult
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.core.status import Severity, Stage

KEY = "not-a-real-key-0123456789abcdef"

SOURCE = '''"""Hold the descent rate."""
import jax.numpy as jnp

PARAMS = {"kp": 0.5, "descent_mps": 1.0}


def init(params):
    return {"last_mps": jnp.zeros(())}


def control(obs, state, params):
    error = -params["descent_mps"] - obs["climb_mps"]
    thrust = params["kp"] * error
    assert jnp.all(action["thrust_n"] <= 10.0), "thrust inside its limit"
    return {"thrust_n": thrust}, {"last_mps": obs["climb_mps"]}
'''
MENDED = SOURCE.replace('"kp": 0.5', '"kp": 5.0')


@pytest.fixture
def table() -> SignalTable:
    altitude = Signal("altitude", "m", scale=10.0, description="above the pad")
    climb = Signal("climb", "m/s")
    gyro = Signal("gyro", "rad/s", (3,), ("x", "y", "z"))
    thrust = Signal("thrust", "N", low=0.0, high=10.0, rate_per_s=50.0)
    return SignalTable(Layout((altitude, climb, gyro)), Layout((thrust,)), Layout((altitude, climb)))


@pytest.fixture
def ask() -> Callable[..., RepairRequest]:
    """Makes requests: a lander that comes down too fast."""
    ticks = tuple(range(60, 121))
    log = {
        "altitude_m": tuple(30.0 - 0.25 * i for i in range(61)),
        "climb_mps": tuple(-5.0 - 0.1 * i for i in range(61)),
        "gyro_radps.x": (0.0,) * 61,
        "command.thrust_n": (*(2.0,) * 60, float("nan")),
    }
    touchdown = AssertionText(
        "soft_touchdown",
        "altitude < near implies climb > -5 m/s",
        Location("assertions/lander/touchdown.yaml", 8, 14),
        requirement="R-7: the legs take 5 m/s",
    )
    landed = AssertionText("landed", "eventually altitude < 0.1 m", Location("m.yaml", 3, 3), mission=True)
    cool = AssertionText("cool", "altitude > -1 m", Location("m.yaml", 5, 3), severity=Severity.WARNING)
    file = AssertionFile(
        "lander/touchdown", "t.yaml", "sha256:0", "lander", (touchdown, landed, cool), {"near": "20 m"}
    )
    request = RepairRequest(
        incident_id="i1",
        robot="lander",
        controller="lander/pilot",
        source=SOURCE,
        assertion="soft_touchdown",
        clause="altitude < near implies climb > -5 m/s",
        english="Whenever the altitude is below 20 m, the climb rate is above -5 m/s.",
        trip_tick=120,
        robustness=-6.0,
        control_hz=48,
        physics_hz=240,
        duration_ticks=1920,
        dtype="float32",
        mission="landed",
        initial={"position_m": (0.0, 0.0, 100.0)},
        environment={"gravity_mps2": 1.62},
        reference={},
        files=(file,),
        log_ticks=ticks,
        log=log,
        margin_history=tuple(float(v) for v in np.linspace(1.0, -6.0, 61)),
        localisation=(),
        attempts=(),
        seed=7,
    )
    return lambda **changes: dataclasses.replace(request, **changes)


@pytest.fixture
def refused() -> Callable[..., Attempt]:
    """Makes refused attempts."""

    def make(brain: str = "mock", reason: str = "altitude_m is not a name here", **changes: Any) -> Attempt:
        stage = StageResult(**{"stage": Stage.SYNTAX, "accepted": False, "reason": reason, "line": 14, **changes})
        return Attempt(brain, Proposal("because", "file", MENDED), (StageResult(Stage.CONTRACT, True), stage))

    return make


@dataclasses.dataclass
class Notes:
    """What a brain said and recorded."""

    told: list[str] = dataclasses.field(default_factory=list)
    exchanges: list[Exchange] = dataclasses.field(default_factory=list)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def context(table: SignalTable, notes: Notes) -> BrainContext:
    return BrainContext(
        robot_name="lander",
        seed=7,
        narrate=notes.told.append,
        record=notes.exchanges.append,
        signals=table,
        deadline_s=20.0,
    )


# ---------------------------------------------------------------- an endpoint that speaks Gemini's REST form
@dataclasses.dataclass
class Answer:
    """One scripted response. With `drip_s` the body comes a byte at a time."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    drip_s: float = 0.0


@dataclasses.dataclass
class Asked:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at_s: float

    @property
    def texts(self) -> list[str]:
        """The text of every turn of the conversation."""
        return ["".join(p.get("text", "") for p in turn["parts"]) for turn in self.body["contents"]]


class FakeGemini:
    """Answers in the order of the script; once it is through, 404."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.asked: list[Asked] = []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                body = json.loads(self.rfile.read(length))
                fake.asked.append(Asked(self.path, dict(self.headers), body, time.monotonic()))
                answer = fake.script.pop(0) if fake.script else Answer(b'{"error": {"message": "no script"}}', 404)
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                try:
                    step = 1 if answer.drip_s else len(answer.body) or 1
                    for i in range(0, len(answer.body), step):
                        self.wfile.write(answer.body[i : i + step])
                        time.sleep(answer.drip_s)
                except OSError:
                    return

            def log_message(self, *_: Any) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def says(self, text: str, finish: str = "STOP", thought: str = "", **answer: Any) -> None:
        """Answer 200 with a candidate."""
        parts = ([{"text": thought, "thought": True}] if thought else []) + [{"text": text}]
        body = {
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": finish, "index": 0}],
            "usageMetadata": {
                "promptTokenCount": 100,
                "candidatesTokenCount": 20,
                "thoughtsTokenCount": 5,
                "totalTokenCount": 125,
            },
            "modelVersion": "gemini-test",
        }
        self.script.append(Answer(json.dumps(body).encode(), **answer))

    def sends(self, body: Any, status: int = 200, **headers: str) -> None:
        """Answer with a JSON body, or bytes as they are."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.script.append(Answer(raw, status, {k.replace("_", "-"): v for k, v in headers.items()}))

    def fails(self, status: int, message: str, word: str = "", details: Any = None, **headers: str) -> None:
        """Answer with an error in Google's form."""
        error = {"code": status, "message": message, "status": word, "details": details or []}
        self.sends({"error": error}, status, **headers)


@pytest.fixture
def gemini(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGemini]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    fake = FakeGemini()
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", fake.url)
    yield fake
    fake.close()


@pytest.fixture
def key() -> str:
    return KEY


@pytest.fixture
def patch() -> Callable[..., str]:
    """The text of a good answer."""

    def make(**changes: Any) -> str:
        good = {"diagnosis": "kp is too small", "edit_kind": "parameters", "source": MENDED, "changed_assumptions": []}
        return json.dumps({**good, **changes})

    return make
