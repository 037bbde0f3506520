"""The commands of run.py: what runs, with which variables, in which words."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import run
from bootstrap import SetupError


@pytest.mark.parametrize("version", [(3, 10, 0), (3, 11, 7), (3, 12, 1)])
def test_supported_pythons_have_no_problem(version: tuple) -> None:
    assert run.python_problem(version) == ""


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ((3, 6, 15), ["Python 3.6 is too old", "3.10", "python3.11 run.py"]),
        ((3, 9, 1), ["Python 3.9 is too old", "3.10", "python3.11 run.py"]),
        ((3, 13, 0), ["Python 3.13 is too new", "3.12", "python3.11 run.py"]),
    ],
)
def test_other_pythons_are_named_with_a_way_out(
    version: tuple, words: list[str]
) -> None:
    problem = run.python_problem(version)
    assert "\n" not in problem
    for word in words:
        assert word in problem


def test_an_old_python_can_read_run_py_to_the_sentence(
    repo_root: Path,
) -> None:
    source = (repo_root / "run.py").read_text()
    tree = ast.parse(source, feature_version=(3, 6))
    check = next(
        i for i, node in enumerate(tree.body) if isinstance(node, ast.If)
    )
    before = [n for n in tree.body[:check] if isinstance(n, ast.Import)]
    assert [alias.name for n in before for alias in n.names] == ["sys"]
    assert not any(isinstance(n, ast.ImportFrom) for n in tree.body[:check])


def test_setup_uses_the_standard_library_only(repo_root: Path) -> None:
    own = {"bootstrap"}
    for path in [repo_root / "run.py", *(repo_root / "bootstrap").glob("*")]:
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                top = name.split(".")[0]
                assert top in sys.stdlib_module_names | own, (path, name)


def test_an_unknown_benchmark_lists_those_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "benchmarks", lambda: ["knn", "loading"])
    with pytest.raises(SetupError, match=r"'speed'.*knn, loading"):
        run.command_line("bench", ["speed"])
    with pytest.raises(SetupError, match="no benchmark named"):
        run.command_line("bench", [])


def test_benchmarks_are_the_public_files_of_their_folder(
    tmp_path: Path,
) -> None:
    assert run.benchmarks(tmp_path) == []
    (tmp_path / "benchmarks").mkdir()
    for name in ("loading.py", "knn.py", "_machine.py", "notes.md"):
        (tmp_path / "benchmarks" / name).touch()
    assert run.benchmarks(tmp_path) == ["knn", "loading"]


def test_a_benchmark_gets_its_arguments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run, "benchmarks", lambda: ["knn"])
    monkeypatch.chdir(tmp_path)
    line = run.command_line("bench", ["knn", "--json", "a.json", "--quick"])
    wanted = ["--json", str(tmp_path / "a.json"), "--quick"]
    assert line == [["-m", "benchmarks.knn", *wanted]]


@pytest.mark.parametrize("form", [["--out", "here"], ["--out=here"]])
def test_paths_are_those_of_the_callers_folder(
    form: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (line,) = run.command_line("demo", [*form, "--headless"])
    assert str(tmp_path / "here") in " ".join(line)
    assert line[-1] == "--headless"


def test_demo_and_tests_run_offline_and_quietly() -> None:
    environ = run.child_environment({}, offline=True)
    assert environ["HF_HUB_OFFLINE"] == environ["TRANSFORMERS_OFFLINE"] == "1"
    assert environ["YOLO_OFFLINE"] == "true"
    assert environ["YOLO_AUTOINSTALL"] == "false"
    assert environ["FIFTYONE_DO_NOT_TRACK"] == "true"
    assert "HF_HUB_OFFLINE" not in run.child_environment({}, offline=False)


def test_the_app_offers_to_schedule_and_a_worker_runs_that() -> None:
    environ = run.child_environment({}, offline=False)
    # without it FiftyOne calls "Schedule" not available
    assert environ["FIFTYONE_ALLOW_LEGACY_ORCHESTRATORS"] == "true"
    (line,) = run.command_line("worker", [])
    assert line[2:4] == ["delegated", "launch"]


def test_what_the_user_set_is_kept() -> None:
    users = {"HF_HUB_OFFLINE": "0", "FIFTYONE_DATABASE_URI": "mongodb://x"}
    environ = run.child_environment(users, offline=True)
    assert users.items() <= environ.items()


def test_the_exit_status_is_the_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "venv_python", lambda: Path(sys.executable))
    monkeypatch.setattr(run.signal, "signal", lambda *_: None)
    assert run.call(["-c", "raise SystemExit(3)"], {}) == 3
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run.call(["-c", kill], {}) == 128 + 9


def test_a_setup_problem_ends_in_words_without_a_traceback(
    repo_root: Path,
) -> None:
    result = subprocess.run(
        [sys.executable, str(repo_root / "run.py"), "bench", "no-such-name"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert "no benchmark 'no-such-name'" in result.stderr
    assert "Traceback" not in result.stderr


def test_lint_runs_both_checks_even_if_the_first_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[str] = []

    def call(arguments: list[str], environ: dict[str, str]) -> int:
        called.append(arguments[1])
        return 1 if arguments[1] == "ruff" else 0

    monkeypatch.setattr(run, "call", call)
    monkeypatch.setattr(run, "ensure_venv", lambda development: None)
    assert run.main(["lint"]) == 1
    assert called == ["ruff", "bootstrap.typecheck"]
