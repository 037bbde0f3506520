"""Where the pages run: a folder with stand-ins for what they name.

Most stand-ins are files with the very names that the pages use, in the folder
that they run in: nothing of a page is changed then. What is left is
``REPLACED``, and the datasets that a page finds (``STARTS``).
"""

from __future__ import annotations

import contextlib
import linecache
import os
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import raremine.brain as rmb
from demo.weights_folder import WEIGHTS
from tests.docs.pages import ROOT, Block

FILES = {
    # what a page calls it: what lies there instead
    "yolov8l.pt": WEIGHTS / "detector.pt",
    "yolov8n.pt": WEIGHTS / "detector.pt",
    "ViT-B-32": WEIGHTS / "embedder",
    "Qwen/Qwen2-VL-2B-Instruct": WEIGHTS / "captioner",
}

REPLACED = (
    # what a page says, what is put there, why
    ("/data/", "{place}/data/", "a data disk of the reader's"),
    ("http://localhost:8000/v1", "{server}", "a caption server"),
    ("https://vlm.example.com/v1", "{server}", "a caption server"),
    ("https://github.com/OWNER/raremine", "{archive}", "the repository"),
    ("actors=8", "actors=1", "a cluster; here are two cores"),
    ("seeds=range(20)", "seeds=range(3)", "time"),
)

STARTS = {
    # page: how it finds the dataset "nuscenes"; all others find it mined.
    # Each name is a fixture of conftest.py
    "README.md": "none",
    "docs/install.md": "none",
    "docs/tutorial.md": "none",
    "docs/nuscenes.md": "none",
    "docs/operators/load_nuscenes.md": "none",
    "docs/operators/detect_objects.md": "loaded",
    "docs/operators/embed_objects.md": "loaded",
    "docs/operators/detect_and_embed.md": "loaded",
    "docs/operators/mine.md": "loaded",
    "docs/streaming.md": "loaded",
    "docs/captions.md": "scored",
    "docs/operators/caption_objects.md": "scored",
    "docs/scale-out.md": "scored",
    "docs/presets.md": "compared",
    "docs/strategies.md": "compared",
    "docs/evaluation.md": "compared",
}

READ_INFOS = {"docs/exports.md"}
"""Pages that find info files of training code in the working folder."""

_PATIENCE = 480.0
"""Seconds that a block of shell may take."""

UNPACK = {"docs/tutorial.md"}
"""Pages that find the data as it is downloaded."""

PACKED = "v1.0-mini.tgz"

RUN_PY = '''"""run.py without making an environment: the tests run in one."""
import os, pathlib, subprocess, sys
sys.path.insert(0, {root!r})
import run

command, rest = run.parse(sys.argv[1:])
if command not in ("demo", "bench"):
    sys.exit(f"run.py {{command}} does not run inside of a test")
if command == "demo":
    rest += ["--headless", "--scenes", "2", "--keyframes", "1",
             "--size", "320x180"]
# not in the repository, where a reader's outputs are, nor beside this file
cwd = pathlib.Path("repository")
cwd.mkdir(exist_ok=True)
environ = {{**os.environ, "PYTHONPATH": {root!r}}}
sys.exit(max(
    subprocess.run([sys.executable, *line], cwd=cwd, env=environ).returncode
    for line in run.command_line(command, rest)
))
'''


@dataclass(frozen=True)
class Place:
    """The folder that one page runs in.

    Attributes:
        folder: the working folder
        server: address of a server for captions
        archive: address of the repository as an archive
        plugins: an empty plugins folder
    """

    folder: Path
    server: str
    archive: str
    plugins: Path

    def prepare(self, dataroot: Path, *, packed: bool = False) -> None:
        """Puts the stand-ins into the folder.

        Args:
            dataroot: a rendered world, which becomes ``/data/nuscenes``
            packed (False): whether it lies there as it is downloaded instead
        """
        for name, target in FILES.items():
            link = self.folder / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        data = self.folder / "data"
        (data / "exports").mkdir(parents=True)
        if packed:
            with tarfile.open(self.folder / PACKED, "w") as file:
                for part in ("v1.0-mini", "samples", "maps"):
                    file.add(dataroot / part, part)
        else:
            (data / "nuscenes").symlink_to(dataroot)
        (self.folder / "run.py").write_text(RUN_PY.format(root=str(ROOT)))
        for name in ("requirements.txt", "constraints.txt"):
            (self.folder / name).symlink_to(ROOT / name)

    def stand_in(self, text: str) -> str:
        """Returns a block's text with what stands in for its names."""
        for said, put, _ in REPLACED:
            put = put.format(
                place=self.folder, server=self.server, archive=self.archive
            )
            text = text.replace(said, put)
        return text

    def run(self, block: Block, names: dict[str, Any]) -> None:
        """Runs a block.

        Args:
            block: a block of Python or shell
            names: what earlier Python blocks of the page have defined

        Raises:
            Exception: whatever goes wrong, with the page's line
        """
        text = self.stand_in(block.text)
        if block.language == "yaml":
            name = saved_as(block)
            assert name is not None
            (self.folder / name).write_text(text)
        elif block.language == "bash":
            self._shell(block, text)
        else:
            self._python(block, text, names)

    def _python(self, block: Block, text: str, names: dict[str, Any]) -> None:
        padded = "\n" * (block.line - 1) + text
        linecache.cache[block.page] = (
            len(padded), None, padded.splitlines(True), block.page,
        )
        exec(compile(padded, block.page, "exec"), names)

    def _shell(self, block: Block, text: str) -> None:
        binaries = Path(sys.executable).parent
        with subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
                "FIFTYONE_PLUGINS_DIR": str(self.plugins),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                said, _ = process.communicate(timeout=_PATIENCE)
            except BaseException:
                # with all that it has started
                os.killpg(process.pid, signal.SIGKILL)
                raise
        assert process.returncode == 0, (
            f"{block.where}: exit status {process.returncode}\n{said}"
        )


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Takes back what a page registers, and the variables that it sets."""
    from raremine.brain.selection import exporters
    from raremine.brain.strategies import registry

    kept = [
        (registry._REGISTRY, dict(registry._REGISTRY)),
        (exporters._OWN, dict(exporters._OWN)),
        (os.environ, dict(os.environ)),
    ]
    functions = {name: getattr(rmb, name) for name in rmb.__all__}
    try:
        yield
    finally:
        for store, before in kept:
            store.clear()
            store.update(before)
        assert functions == {n: getattr(rmb, n) for n in rmb.__all__}


def saved_as(block: Block) -> str | None:
    """Returns the file that a block of YAML is: its first line names it."""
    if block.language != "yaml":
        return None
    match = re.match(r"# (\w+\.yml)\n", block.text)
    return match[1] if match else None
