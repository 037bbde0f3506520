"""What is shipped: packages, plugin manifest, dependencies, paths."""

from __future__ import annotations

import fnmatch
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from raremine.operators import OPERATORS, PANELS, VIEWERS

PACKAGE_FOLDERS = ("brain", "operators")


@pytest.fixture(scope="module")
def project(repo_root: Path) -> dict[str, Any]:
    tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11")
    return tomllib.loads((repo_root / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def tracked(repo_root: Path) -> list[str]:
    """Files under version control."""
    if not (repo_root / ".git").exists():
        pytest.skip("not a git checkout")
    result = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=repo_root,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [name for name in result.stdout.split("\0") if name]
    return [name for name in files if (repo_root / name).is_file()]


def _requirements(path: Path) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in path.open())
    return [Requirement(line) for line in lines if line]


def test_every_package_is_shipped(
    repo_root: Path, project: dict[str, Any]
) -> None:
    found = {"raremine"}
    for folder in PACKAGE_FOLDERS:
        for init in (repo_root / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(repo_root).parts
            found.add(".".join(("raremine", *parts)))
    assert found == set(project["tool"]["setuptools"]["packages"])


def test_every_folder_with_code_is_a_package(repo_root: Path) -> None:
    for folder in PACKAGE_FOLDERS:
        for module in (repo_root / folder).rglob("*.py"):
            assert (module.parent / "__init__.py").exists(), module


def test_every_data_file_of_a_package_is_shipped(
    project: dict[str, Any], tracked: list[str]
) -> None:
    shipped = project["tool"]["setuptools"]["package-data"]
    patterns = [
        "/".join([*package.split(".")[1:], pattern])
        for package, names in shipped.items()
        for pattern in names
    ]
    data = [
        name
        for name in tracked
        if name.split("/")[0] in PACKAGE_FOLDERS and not name.endswith(".py")
    ]
    for name in data:
        assert any(fnmatch.fnmatch(name, p) for p in patterns), name


def test_the_manifest_lists_exactly_the_operators(repo_root: Path) -> None:
    # FiftyOne ignores what is missing on either side without a word.
    manifest = yaml.safe_load((repo_root / "fiftyone.yml").read_text())
    names = [o().config.name for o in (*OPERATORS, *VIEWERS)]
    panels = [panel().config.name for panel in PANELS]
    assert manifest["operators"] == names
    assert manifest["panels"] == panels
    assert len(set(names + panels)) == len(names + panels)


def test_every_operator_file_is_registered(repo_root: Path) -> None:
    defined = set()
    for path in (repo_root / "operators").glob("*.py"):
        text = path.read_text()
        defined.update(re.findall(r"(?m)^class (\w+)\(StageOperator\)", text))
    assert defined == {operator.__name__ for operator in OPERATORS}


def test_plugin_and_package_have_one_name_and_version(
    repo_root: Path, project: dict[str, Any]
) -> None:
    manifest = yaml.safe_load((repo_root / "fiftyone.yml").read_text())
    assert manifest["name"] == "@raremine/raremine"
    assert project["project"]["name"] == "raremine"
    assert manifest["version"] == project["project"]["version"]


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-dev.txt"]
)
def test_the_lock_pins_every_requirement_within_its_range(
    repo_root: Path, name: str
) -> None:
    lock = {
        canonicalize_name(r.name): r
        for r in _requirements(repo_root / "constraints.txt")
    }
    for requirement in _requirements(repo_root / name):
        pinned = lock.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement.name} is not locked"
        (specifier,) = pinned.specifier
        assert specifier.operator == "=="
        assert requirement.specifier.contains(specifier.version), pinned


def test_the_lock_is_exact_and_free_of_local_sources(
    repo_root: Path,
) -> None:
    names = []
    for requirement in _requirements(repo_root / "constraints.txt"):
        assert requirement.url is None, requirement
        assert [s.operator for s in requirement.specifier] == ["=="]
        names.append(canonicalize_name(requirement.name))
    assert len(names) == len(set(names))


def test_no_tracked_file_holds_a_path_of_one_machine(
    repo_root: Path, tracked: list[str]
) -> None:
    here = {str(repo_root), str(Path.home())} - {"/"}
    pattern = re.compile(
        r"(?<![\w.~}-])/(?:root|work|home|Users)/(?!(?:me|you|user)\b)\w|"
        + "|".join(re.escape(path) + r"/\w" for path in here)
    )
    for name in tracked:
        data = (repo_root / name).read_bytes()
        if b"\0" in data[:8192]:
            continue
        match = pattern.search(data.decode(errors="replace"))
        assert match is None, f"{name}: {match and match.group()}"
