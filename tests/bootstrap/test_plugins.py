"""The plugins folder that the App gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bootstrap import ROOT
from bootstrap.plugins import plugins_folder, users_plugins

pytestmark = pytest.mark.skipif(os.name == "nt", reason="makes links")


@pytest.fixture
def users(tmp_path: Path) -> Path:
    folder = tmp_path / "users" / "__plugins__"
    (folder / "@someone" / "theirs").mkdir(parents=True)
    manifest = folder / "@someone" / "theirs" / "fiftyone.yml"
    manifest.write_text("name: '@someone/theirs'\n")
    return folder


@pytest.fixture
def environ(tmp_path: Path, users: Path) -> dict[str, str]:
    return {
        "FIFTYONE_CONFIG_PATH": str(tmp_path / "none.json"),
        "FIFTYONE_DEFAULT_DATASET_DIR": str(users.parent),
    }


def test_raremine_joins_the_users_plugins(
    tmp_path: Path, users: Path, environ: dict[str, str]
) -> None:
    private = tmp_path / "private"
    folder = plugins_folder(environ, private)
    assert folder == private
    assert (private / "raremine").resolve() == ROOT
    assert (private / "@someone" / "theirs" / "fiftyone.yml").exists()
    assert [p.name for p in users.iterdir()] == ["@someone"]


def test_a_plugin_the_user_removed_disappears(
    tmp_path: Path, users: Path, environ: dict[str, str]
) -> None:
    private = tmp_path / "private"
    plugins_folder(environ, private)
    (users / "@someone" / "theirs" / "fiftyone.yml").unlink()
    (users / "@someone" / "theirs").rmdir()
    (users / "@someone").rmdir()
    plugins_folder(environ, private)
    assert [p.name for p in private.iterdir()] == ["raremine"]


@pytest.mark.parametrize("place", ["raremine", "@raremine/raremine"])
def test_an_installed_raremine_is_used_as_it_is(
    place: str, tmp_path: Path, users: Path, environ: dict[str, str]
) -> None:
    (users / place).mkdir(parents=True)
    manifest = users / place / "fiftyone.yml"
    manifest.write_text("type: plugin\nname: '@raremine/raremine'  \n")
    assert plugins_folder(environ, tmp_path / "private") == users
    assert not (tmp_path / "private").exists()


def test_a_folder_that_holds_no_links_costs_the_operators_only(
    tmp_path: Path,
    users: Path,
    environ: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    assert plugins_folder(environ, tmp_path / "file" / "private") == users
    assert str(users) in capsys.readouterr().err


def test_the_users_folder_is_where_fiftyone_looks(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    base = {"FIFTYONE_CONFIG_PATH": str(config)}
    default = Path.home() / "fiftyone" / "__plugins__"
    assert users_plugins(base) == default
    config.write_text('{"default_dataset_dir": "/data"}')
    assert users_plugins(base) == Path("/data/__plugins__")
    config.write_text('{"default_dataset_dir": "/d", "plugins_dir": "/p"}')
    assert users_plugins(base) == Path("/p")
    own = {"FIFTYONE_PLUGINS_DIR": "/mine"}
    assert users_plugins({**base, **own}) == Path("/mine")
