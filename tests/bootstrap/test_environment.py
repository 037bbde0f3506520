"""The environment: when it is made, updated or used as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from bootstrap import SetupError, environment
from bootstrap.environment import (
    INSTALLING,
    check_disk,
    plan_install,
    read_stamp,
    venv_python,
    wanted_stamp,
    write_stamp,
)

FILES = (
    "requirements.txt",
    "requirements-dev.txt",
    "constraints.txt",
    "pyproject.toml",
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    for name in FILES:
        (root / name).write_text(f"# {name}\n")
    return root


@pytest.fixture
def venv(repository: Path) -> Path:
    """A complete environment with test tools, as run.py leaves it."""
    venv = repository / ".venv"
    venv_python(venv).parent.mkdir(parents=True)
    venv_python(venv).touch()
    write_stamp(venv, wanted_stamp(repository))
    return venv


def test_a_complete_environment_needs_nothing(
    repository: Path, venv: Path
) -> None:
    want = wanted_stamp(repository)
    assert plan_install(venv, want, development=True)[0] == "nothing"
    assert plan_install(venv, want, development=False)[0] == "nothing"


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ("requirements.txt", "create"),
        ("constraints.txt", "create"),
        ("requirements-dev.txt", "update"),
        ("pyproject.toml", "project"),
    ],
)
def test_a_changed_file_is_noticed(
    repository: Path, venv: Path, changed: str, step: str
) -> None:
    with (repository / changed).open("a") as file:
        file.write("more\n")
    want = wanted_stamp(repository)
    assert plan_install(venv, want, development=True)[0] == step


@pytest.mark.parametrize("key", ["python", "repository"])
def test_another_python_or_place_makes_a_new_one(
    repository: Path, venv: Path, key: str
) -> None:
    want = wanted_stamp(repository)
    write_stamp(venv, {**want, key: "other"})
    assert plan_install(venv, want, development=False)[0] == "create"


def test_test_tools_are_added_only_when_needed(
    repository: Path, venv: Path
) -> None:
    want = wanted_stamp(repository)
    write_stamp(venv, {**want, "development": ""})
    assert plan_install(venv, want, development=False)[0] == "nothing"
    assert plan_install(venv, want, development=True)[0] == "update"


def test_an_interrupted_installation_starts_anew(
    repository: Path, venv: Path
) -> None:
    (venv / INSTALLING).touch()
    step, reason = plan_install(venv, wanted_stamp(repository), False)
    assert step == "create"
    assert "interrupted" in reason


def test_an_environment_made_by_hand_is_kept(
    repository: Path, venv: Path
) -> None:
    (venv / environment.STAMP).unlink()
    assert plan_install(venv, wanted_stamp(repository), False)[0] == "update"


def test_a_torn_stamp_counts_as_none(venv: Path) -> None:
    (venv / environment.STAMP).write_text('{"python": "3.1')
    assert read_stamp(venv) is None
    (venv / environment.STAMP).write_text('["a list"]')
    assert read_stamp(venv) is None


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_python_that_is_gone_makes_a_new_one(
    repository: Path, venv: Path
) -> None:
    venv_python(venv).unlink()
    venv_python(venv).symlink_to(repository / "removed-python")
    assert plan_install(venv, wanted_stamp(repository), False)[0] == "create"


def test_a_full_disk_is_told_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(
        environment.shutil, "disk_usage", lambda _: usage(20e9, 16.8e9, 3.2e9)
    )
    with pytest.raises(SetupError) as raised:
        check_disk(tmp_path, 9.0, "the installation")
    message = str(raised.value)
    assert str(tmp_path) in message
    assert "3.2 GB free" in message
    assert "9 GB needed" in message
    check_disk(tmp_path, 3.0, "temporary files")


def _fake_pip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str
) -> None:
    """Let `python -m pip` be a module of ours."""
    (tmp_path / "pip.py").write_text(body)
    starter = tmp_path / "python"
    starter.write_text(
        f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n'
    )
    starter.chmod(0o755)
    monkeypatch.setattr(environment, "venv_python", lambda: starter)


@pytest.mark.skipif(os.name == "nt", reason="uses a shell script")
def test_a_failure_of_pip_shows_its_last_lines_and_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_pip(
        monkeypatch,
        tmp_path,
        "for i in range(50): print('line', i)\n"
        "raise SystemExit('ERROR: No matching distribution for torch')\n",
    )
    log = tmp_path / "install.log"
    with pytest.raises(SetupError) as raised:
        environment.pip(["install", "torch"], log)
    message = str(raised.value)
    assert "ERROR: No matching distribution for torch" in message
    assert "line 49" in message
    assert "line 3\n" not in message
    assert str(log) in message
    assert "line 3\n" in log.read_text()


@pytest.mark.skipif(os.name == "nt", reason="uses a shell script")
def test_pip_does_not_see_the_packages_of_other_pythons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/opt/robot/site-packages")
    monkeypatch.setenv("PIP_USER", "1")
    _fake_pip(
        monkeypatch,
        tmp_path,
        "import os, sys\n"
        "assert '/opt/robot/site-packages' not in sys.path\n"
        "assert 'PIP_USER' not in os.environ\n",
    )
    environment.pip(["install"], tmp_path / "install.log")


def test_the_lock_is_dropped_only_where_it_was_not_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[list[str]] = []

    def pip(arguments: list[str]) -> None:
        calls.append(arguments)
        if "-c" in arguments:
            raise SetupError("no such versions")

    monkeypatch.setattr(environment, "pip", pip)
    monkeypatch.setattr(environment, "this_python", lambda: "3.12")
    environment.install_packages(development=False)
    assert ["-c" in call for call in calls] == [True, False]
    told = capsys.readouterr().err
    assert "untested" in told
    assert "3.12" in told

    calls.clear()
    monkeypatch.setattr(
        environment, "this_python", lambda: environment.LOCK_PYTHON
    )
    monkeypatch.setattr(environment.sys, "platform", "linux")
    with pytest.raises(SetupError):
        environment.install_packages(development=False)
    assert len(calls) == 1


@pytest.fixture
def installing(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> list[list[str]]:
    """Run ensure_venv in a repository of the test; pip calls are recorded."""
    calls: list[list[str]] = []
    venv = repository / ".venv"
    python = venv_python(venv)
    monkeypatch.setattr(environment, "VENV", venv)
    monkeypatch.setattr(environment, "LOG", repository / "install.log")
    monkeypatch.setattr(environment, "pip", calls.append)
    monkeypatch.setattr(environment, "ensure_opencv", lambda: None)
    monkeypatch.setattr(
        environment, "wanted_stamp", lambda: wanted_stamp(repository)
    )

    def create_venv() -> None:
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        (venv / INSTALLING).touch()

    monkeypatch.setattr(environment, "create_venv", create_venv)
    monkeypatch.setattr(environment, "check_disk", lambda *_: None)
    return calls


def test_a_second_run_does_not_call_pip(installing: list[list[str]]) -> None:
    environment.ensure_venv(development=True)
    assert installing
    installing.clear()
    environment.ensure_venv(development=True)
    environment.ensure_venv(development=False)
    assert installing == []


def test_a_failed_installation_leaves_no_stamp(
    installing: list[list[str]],
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def pip(arguments: list[str]) -> None:
        raise SetupError("the network is gone")

    monkeypatch.setattr(environment, "pip", pip)
    monkeypatch.setattr(environment, "this_python", lambda: "3.11")
    with pytest.raises(SetupError, match="network is gone"):
        environment.ensure_venv(development=False)
    want = wanted_stamp(repository)
    step = plan_install(repository / ".venv", want, development=False)[0]
    assert step == "create"


def test_a_failure_of_the_last_step_keeps_the_packages(
    installing: list[list[str]],
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def install_project() -> None:
        raise SetupError("no setuptools")

    monkeypatch.setattr(environment, "install_project", install_project)
    with pytest.raises(SetupError, match="no setuptools"):
        environment.ensure_venv(development=True)
    want = wanted_stamp(repository)
    step = plan_install(repository / ".venv", want, development=True)[0]
    assert step == "project"


def test_creating_removes_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "check_disk", lambda *_: None)
    ran: list[list[str]] = []

    def make(command: list[str], **_: object) -> subprocess.CompletedProcess:
        ran.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(environment.subprocess, "run", make)
    venv = tmp_path / ".venv"
    venv.mkdir()
    (venv / "stale").touch()
    environment.create_venv(venv)
    assert not (venv / "stale").exists()
    assert (venv / INSTALLING).exists()
    assert ran[0][1:] == ["-m", "venv", str(venv)]


def test_a_python_without_venv_names_the_debian_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "check_disk", lambda *_: None)
    monkeypatch.setattr(
        environment.subprocess,
        "run",
        lambda c, **_: subprocess.CompletedProcess(c, 1, "", "no ensurepip"),
    )
    with pytest.raises(SetupError, match=r"apt-get install python3\.\d+-venv"):
        environment.create_venv(tmp_path / ".venv")
