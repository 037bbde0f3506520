"""Let the FiftyOne App see this repository as a plugin.

The App reads one plugins folder. A folder of links joins the user's plugins
with this repository, so that nothing has to be installed into the user's own
folder and nothing of the user's disappears from the App.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from bootstrap import ROOT, say

_MANIFESTS = ("fiftyone.yml", "fiftyone.yaml")
_NAME = re.compile(r"^name:\s*[\"']?@raremine/raremine[\"']?\s*$", re.M)


def users_plugins(environ: Mapping[str, str]) -> Path:
    """The folder that FiftyOne reads plugins from, as the user has it."""
    default = Path.home() / ".fiftyone" / "config.json"
    try:
        path = Path(environ.get("FIFTYONE_CONFIG_PATH", default))
        config = json.loads(path.read_text())
        if not isinstance(config, dict):
            config = {}
    except (OSError, ValueError):
        config = {}
    folder = environ.get("FIFTYONE_PLUGINS_DIR") or config.get("plugins_dir")
    if folder:
        return Path(folder).expanduser()
    datasets = environ.get("FIFTYONE_DEFAULT_DATASET_DIR")
    datasets = datasets or config.get("default_dataset_dir") or "~/fiftyone"
    return Path(datasets).expanduser() / "__plugins__"


def has_raremine(folder: Path) -> bool:
    """Whether a plugins folder already holds this plugin, two levels deep."""
    for manifest in _MANIFESTS:
        for pattern in (f"*/{manifest}", f"*/*/{manifest}"):
            for path in folder.glob(pattern):
                try:
                    text = path.read_text(errors="replace")
                except OSError:
                    continue
                if _NAME.search(text):
                    return True
    return False


def plugins_folder(
    environ: Mapping[str, str], private: Path = ROOT / "outputs" / "plugins"
) -> Path:
    """A plugins folder that holds raremine beside the user's plugins.

    Args:
        environ: the variables that the App will run with.
        private: the folder of links, made anew where one is needed.

    Returns:
        the user's own folder if the plugin is in it or links cannot be made,
        else ``private``.
    """
    users = users_plugins(environ)
    if has_raremine(users):
        return users
    try:
        private.mkdir(parents=True, exist_ok=True)
        for link in private.iterdir():
            if link.is_symlink():
                link.unlink()
        if users.is_dir() and users.resolve() != private.resolve():
            for child in sorted(users.iterdir()):
                if child.is_dir() and not child.name.startswith("."):
                    (private / child.name).symlink_to(child.resolve())
        link = private / "raremine"
        if not link.is_symlink():
            link.symlink_to(ROOT, target_is_directory=True)
    except OSError as error:
        say(
            f"the App will not show raremine's operators: {private} cannot "
            f"hold links ({error}). Copy or link {ROOT} into {users}."
        )
        return users
    return private
