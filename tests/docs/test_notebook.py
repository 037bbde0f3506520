"""The notebook is the tutorial, which runs as a page."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

from tests.docs.pages import ROOT, blocks_of, read

PAGE = "docs/tutorial.md"


def _module() -> Any:
    path = ROOT / "docs" / "notebook.py"
    spec = importlib.util.spec_from_file_location("docs_notebook", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_notebook_is_up_to_date() -> None:
    text = (ROOT / "docs" / "tutorial.ipynb").read_text("utf-8")
    assert text == _module().written(read(PAGE)), (
        "run `python docs/notebook.py`"
    )


def test_the_notebook_has_each_block_in_order() -> None:
    cells = json.loads(_module().written(read(PAGE)))["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    wanted = [
        "%%bash\n" * (b.language == "bash") + b.text.rstrip()
        for b in blocks_of(PAGE)
    ]
    assert code == wanted
    prose = ["".join(c["source"]) for c in cells if c not in code]
    assert prose[0].startswith("# Tutorial")
    assert not any("<!--" in text for text in prose)
