"""One short run and its re-execution, shared; and what changes a record in a way that its checksums do not see."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from healing_runtime import workspace
from healing_runtime.cli.main import execute
from healing_runtime.supervisor import replay as replays
from healing_runtime.supervisor.manifest import inputs_of
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


def edit(folder: Path, name: str, change, *, sealed: bool = False) -> None:
    """Change a JSON document of a record in place; `sealed`: a manifest gets the right hash again."""
    path = folder / name
    document = json.loads(path.read_text())
    change(document)
    if sealed:
        document["inputs_sha256"] = inputs_of(document)
    path.write_text(json.dumps(document))


def manifest(change, *, sealed: bool = False):
    """What changes the manifest of a run; `sealed`: as if the run had written it like this."""
    return lambda run: edit(run, "manifest.json", change, sealed=sealed)


EVIL = "from pathlib import Path\nPath({!r}).write_text('imported')\nROBOT = None\n"


@pytest.fixture
def foreign(copied, monkeypatch, capfd):
    """A copied run that brings code of its own; `foreign(change)` gives the line that refuses it."""
    seen = copied.parent / "imported"
    (copied / "sim/robots").mkdir(parents=True)
    (copied / "sim/robots/evil.py").write_text(EVIL.format(str(seen)))
    (copied / "sim/__init__.py").write_text(EVIL.format(str(seen)))
    (copied / "conftest.py").write_text(EVIL.format(str(seen)))
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(replays, "_flown", lambda *_: pytest.fail("it was flown"))

    def refused(change, *options):
        change(copied)
        assert execute(["replay", str(copied), *options]) == 2
        captured = capfd.readouterr()
        assert captured.out == "" and "Traceback" not in captured.err
        assert not seen.exists(), "code of the run folder was imported"
        (line,) = captured.err.splitlines()
        assert line.startswith("heal: ") and len(line) < 400, line
        return line

    return refused


TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def schema_errors(value, schema, path):
    """What a value breaks of a JSON Schema, as far as ours use it; a keyword that is not known here is an error."""
    known = "title description type enum anyOf properties required additionalProperties items minItems maxItems minimum"
    assert set(schema) <= set(known.split()), schema
    if "anyOf" in schema and all(list(schema_errors(value, option, path)) for option in schema["anyOf"]):
        return [f"{path}: {value!r} fits none"]
    wanted = schema.get("type", [])
    if wanted and not any(is_of(value, kind) for kind in ([wanted] if isinstance(wanted, str) else wanted)):
        return [f"{path}: {value!r} is no {wanted}"]
    errors = [f"{path}: {value!r}"] if "enum" in schema and value not in schema["enum"] else []
    if is_of(value, "number") and value < schema.get("minimum", value):
        errors.append(f"{path}: {value!r} is too small")
    if isinstance(value, dict):
        properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        errors += [f"{path}: {key} is missing" for key in schema.get("required", ()) if key not in value]
        for key, inner in value.items():
            if key not in properties and more is False:
                errors.append(f"{path}: {key} is not known")
            elif key in properties or more is not True:
                errors += schema_errors(inner, properties.get(key, more), f"{path}.{key}")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            errors.append(f"{path}: {len(value)} items")
        for inner in value:
            errors += schema_errors(inner, schema.get("items", {}), path)
    return errors


def is_of(value, kind):
    if kind in ("number", "integer"):
        kinds = int if kind == "integer" else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    return isinstance(value, TYPES[kind])
