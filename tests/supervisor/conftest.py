"""One short run and its re-execution, shared; and what changes a record in a way that its checksums do not see."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from healing_runtime import workspace
from healing_runtime.supervisor import replay as replays
from healing_runtime.supervisor.runtime import Runtime
from healing_runtime.telemetry.mcap import LogWriter, digest_of, read_log

ROOT = Path(__file__).parents[2]
SCENARIO = "lander/neuro_lander"


@pytest.fixture(scope="session")
def home():
    return workspace.open(ROOT)


@pytest.fixture(scope="session")
def unhealed(home, tmp_path_factory):
    return Runtime(SCENARIO, brain="none", workspace=home, out=tmp_path_factory.mktemp("runs")).run()


@pytest.fixture
def copied(unhealed, tmp_path):
    """A copy of the unhealed run."""
    return Path(shutil.copytree(unhealed.folder, tmp_path / "run"))


@pytest.fixture(scope="session")
def flown(unhealed, home):
    """The re-execution of the unhealed run, flown once."""
    kept = []
    real = replays._flown
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replays, "_flown", lambda *given: kept.append(real(*given)) or kept[-1])
        assert replays.replay(unhealed.folder, verify=True, home=home).exit_code == 0
    return kept[0]


@pytest.fixture
def verify(flown, home, monkeypatch):
    """`replay --verify` of a copy of the unhealed run, with the flight that it would fly taken from `flown`."""
    monkeypatch.setattr(replays, "_flown", lambda *_: flown)

    def call(folder):
        result = replays.replay(folder, verify=True, home=home)
        return result.exit_code, result.document

    return call


@dataclasses.dataclass
class Message:
    topic: str
    t_ns: int
    content: dict


def repack(folder: Path, change, *, result: bool = True) -> None:
    """Write the log again with right checksums; `change(messages)` changes or replaces them. The digest follows."""
    log = folder / "log.mcap"
    contents = read_log(log)
    messages = [Message(m.topic, m.t_ns, json.loads(m.data)) for m in contents.messages]
    messages = change(messages) or messages
    schemas = {m.topic: {"type": "object"} for m in messages}
    log.unlink()
    with LogWriter(log, schemas, run=contents.run) as writer:
        for message in messages:
            writer.write(message.topic, message.t_ns, message.content)
    if result:
        edit(folder, "result.json", lambda d: d.update(digest=digest_of(read_log(log).messages)))


def edit(folder: Path, name: str, change) -> None:
    """Change a JSON document of a record in place."""
    path = folder / name
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
