"""The export operator: options by format, the plan in its form, the result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionContext, ExecutionRunState

from raremine.brain.errors import RaremineError
from raremine.brain.selection import export as export_module
from raremine.brain.selection import exporters
from raremine.brain.selection.export import export_formats, export_selection
from raremine.brain.selection.exporters import register_format
from raremine.brain.selection.exporters.job import ExportJob, Written
from raremine.brain.selection.stage import select_frames
from tests.brain.selection.exporters.pictures import picture_dataset

URI = "@raremine/raremine/export_selection"
ALWAYS = {"selection", "format", "out_dir", "overwrite"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fo.Dataset]:
    dataset = picture_dataset(tmp_path_factory.mktemp("pictures"))
    select_frames(dataset, {"random": 0.2}, name="first")
    select_frames(dataset, {"random": 0.6}, name="mine")
    dataset.group_slice = "LIDAR_TOP"
    yield dataset
    dataset.delete()


@pytest.fixture
def in_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIFTYONE_SERVER", "1")


def form(dataset: fo.Dataset, **params: Any) -> Any:
    operator = foo.get_operator(URI)
    request = {"dataset_name": dataset.name, "params": params}
    ctx = ExecutionContext(request, operator_uri=URI)
    return operator.resolve_type(ctx, "inputs").type.properties


def run(dataset: fo.Dataset, **params: Any) -> Any:
    return foo.execute_operator(URI, dict(dataset=dataset), params=params)


@pytest.mark.parametrize("format", export_formats())
def test_a_format_asks_for_its_options_and_explains_them(
    pictures: fo.Dataset, format: str
) -> None:
    import inspect

    signature = inspect.signature(exporters.exporter(format).write)
    options = {
        p.name: p.default
        for p in signature.parameters.values()
        if p.kind is p.KEYWORD_ONLY
    }
    asked = form(pictures, format=format)
    assert set(asked) == {*ALWAYS, *options}
    for name, default in options.items():
        assert asked[name].view.description, name
        if default is not None and default is not True:
            assert asked[name].default == default, name


def test_the_last_selection_is_offered_first(pictures: fo.Dataset) -> None:
    asked = form(pictures)
    assert asked["selection"].default == "mine"
    assert asked["format"].default == "tokens"
    assert form(pictures, format="coco")["media"].type.values == [
        *("symlink", "hardlink", "copy", "none")
    ]


def test_the_app_shows_where_it_goes_and_what_it_needs(
    pictures: fo.Dataset, tmp_path: Path, in_app: None
) -> None:
    settings = {"format": "coco", "out_dir": str(tmp_path)}
    notice = form(pictures, **settings)["destination"]
    text = notice.view.description
    assert str(tmp_path / "mine-coco") in text
    assert "kB at most" in text or "MB at most" in text
    assert "are free" in text and not notice.invalid
    assert list(tmp_path.iterdir()) == []
    assert "destination" not in form(pictures, format="coco")


def test_the_app_says_what_is_in_the_way(
    pictures: fo.Dataset,
    tmp_path: Path,
    in_app: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {"format": "coco", "out_dir": str(tmp_path)}

    def problem(**more: Any) -> str:
        shown = form(pictures, **settings, **more)
        found = shown.get("this_cannot_be_exported")
        assert found is None or found.invalid
        return found.view.description if found else ""

    assert problem() == ""
    assert "has the label 'lorry'" in problem(classes=["lorry"])
    export_selection(pictures, "mine", "coco", tmp_path)
    assert "exists already" in problem()
    assert problem(overwrite=True) == ""
    assert "it_exists" in form(pictures, **settings, overwrite=True)
    monkeypatch.setattr(
        export_module.shutil,
        "disk_usage",
        lambda _: type("usage", (), {"free": 1}),
    )
    assert "free some space" in problem(overwrite=True)


def test_plans_of_one_form_read_the_dataset_once(
    pictures: fo.Dataset,
    tmp_path: Path,
    in_app: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import raremine.brain.frames as frames

    reads: list[str] = []
    read = frames.read_keyframes

    def counted(dataset: fo.Dataset) -> Any:
        reads.append(dataset.name)
        return read(dataset)

    monkeypatch.setattr(frames, "read_keyframes", counted)
    export_module._recent.clear()
    for classes in (["car"], ["car", "truck"]):
        for name in ("mine", "mine", "first"):
            form(
                pictures,
                format="yolo",
                selection=name,
                classes=classes,
                out_dir=str(tmp_path),
            )
    assert len(reads) == 4
    # an export looks for itself, whatever its form has shown
    run(
        pictures,
        format="tokens",
        selection="first",
        out_dir=str(tmp_path / "new"),
    )
    assert len(reads) == 5


def test_what_was_exported_is_shown(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    result = run(
        pictures, format="yolo", out_dir=str(tmp_path), classes=["truck"]
    ).result
    assert result["path"] == str(tmp_path / "mine-yolo" / "dataset.yaml")
    assert (result["frames"], result["selection"]) == (3, "mine")
    assert result["links"] == 10 and "split 'train'" in result["notes"][0]
    classes = {row["class"]: row for row in result["ground_truth_label"]}
    assert classes["ignore"]["frames"].startswith("1 → ")
    operator = foo.get_operator(URI)
    ctx = ExecutionContext({"dataset_name": pictures.name}, operator_uri=URI)
    ctx.request_params["results"] = result
    shown = operator.resolve_type(ctx, "outputs")
    assert {"path", "notes", "ground_truth_label"} <= set(
        shown.type.properties
    )


def test_options_of_a_format_that_was_looked_at_before_do_no_harm(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    result = run(
        pictures,
        format="tokens",
        out_dir=str(tmp_path),
        classes=["truck"],
        media="copy",
        sweeps=3,
    ).result
    assert Path(result["path"]).is_file()
    with pytest.raises(Exception, match="no parameter 'colour'"):
        run(pictures, out_dir=str(tmp_path / "b"), colour="red")


def test_a_script_is_told_what_the_sdk_tells(
    pictures: fo.Dataset, tmp_path: Path
) -> None:
    operator = foo.get_operator(URI)
    with pytest.raises(RaremineError, match="no option 'classes'"):
        operator(pictures, "mine", "tokens", tmp_path, classes=["car"])
    path = operator(pictures, "mine", "tokens", tmp_path).result["path"]
    assert Path(path).is_file()
    with pytest.raises(RaremineError, match="exists already"):
        operator(pictures.limit(1), "mine", "tokens", tmp_path)


def test_delegated(pictures: fo.Dataset, tmp_path: Path) -> None:
    service = DelegatedOperationService()
    foo.get_operator(URI)(
        pictures, "mine", "coco", tmp_path, media="copy", delegate=True
    )
    service.execute_queued_operations(dataset_name=pictures.name)
    (operation,) = service.list_operations(dataset_name=pictures.name)
    service.delete_operation(operation.id)
    assert operation.run_state == ExecutionRunState.COMPLETED
    assert operation.status.label == "Exporting val 4/4"
    assert Path(operation.result.result["path"]).is_file()


class Own:
    """A format of somebody's own, with types that cannot be looked up."""

    summary = "something"

    def space(self, job: ExportJob, **options: Any) -> int:
        return 0

    def write(
        self,
        job: ExportJob,
        *,
        much: Unknown = "a",  # type: ignore[name-defined] # noqa: F821
    ) -> Written:
        """Writes.

        Args:
            job: the export
            much ("a"): how much
        """
        return Written(job.folder, {"much": much})


def test_a_format_of_ones_own_has_a_form(
    pictures: fo.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporters, "_OWN", {})
    register_format("own", Own())
    assert set(form(pictures, format="own")) == {*ALWAYS, "much"}
    result = run(pictures, format="own", out_dir=str(tmp_path), much="b")
    assert result.result["path"] == str(tmp_path / "mine-own")
