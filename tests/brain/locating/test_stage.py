"""Objects of a dataset are located."""

from __future__ import annotations

from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain.columns import read_objects
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.nuscenes.pcd import write_pcd
from raremine.brain.runs import load_results

COLUMNS = ("x", "y", "z", "intensity")
QUATERNIONS = {
    # x, y, z, w: looks along the world's x, and against it
    "FRONT": [-0.5, 0.5, -0.5, 0.5],
    "BACK": [-0.5, -0.5, 0.5, 0.5],
}
DEPTHS = (10.0, 20.0)


def camera(name: str) -> fo.StaticTransform:
    return fo.StaticTransform(
        translation=[0.0, 0.0, 1.5],
        quaternion=QUATERNIONS[name],
        source_frame=name,
        target_frame="world",
    )


def box(depth: float) -> list[float]:
    """1 m wide and high, on the ground, in the middle of the image."""
    size = 1000.0 / depth
    top = 450 + 0.5 * size
    return [(800 - size / 2) / 1600, top / 900, size / 1600, size / 900]


def objects(*depths: float) -> fo.Detections:
    return fo.Detections(
        detections=[
            fo.Detection(label="car", bounding_box=box(d)) for d in depths
        ]
    )


def points(depth: float) -> np.ndarray:
    """Nine points of the face at a depth, and the intensity."""
    y, z = np.meshgrid([-0.1, 0.0, 0.1], [0.4, 0.5, 0.6])
    rows = np.zeros((9, 4), np.float32)
    rows[:, 0], rows[:, 1], rows[:, 2] = depth, y.ravel(), z.ravel()
    return rows


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    """Two keyframes; each camera sees one object, the cloud hits it."""
    dataset = fo.Dataset()
    dataset.add_group_field("group", default="FRONT")
    samples = []
    for frame, depth in enumerate(DEPTHS):
        group = fo.Group()
        for name in QUATERNIONS:
            samples.append(
                fo.Sample(
                    str(tmp_path / f"{name}-{frame}.jpg"),
                    group=group.element(name),
                    metadata=fo.ImageMetadata(width=1600, height=900),
                    sensor_to_world=camera(name),
                    objects=objects(depth),
                )
            )
        cloud = points(depth)
        cloud[:, 0] *= 1 if frame == 0 else -1
        write_pcd(tmp_path / f"{frame}.pcd", COLUMNS, cloud, "test")
        scene = fo.Scene()
        scene.add(
            fo.PointCloud("LIDAR", f"{frame}.pcd", flag_for_projection=True)
        )
        scene.write(str(tmp_path / f"{frame}.fo3d"))
        path = str(tmp_path / f"{frame}.fo3d")
        samples.append(fo.Sample(path, group=group.element("LIDAR")))
    dataset.add_samples(samples)
    lens = fo.PinholeCameraIntrinsics(fx=1000, fy=1000, cx=800, cy=450)
    dataset.camera_intrinsics = dict.fromkeys(QUATERNIONS, lens)
    dataset.save()
    return dataset


def rows(dataset: fo.Dataset, *names: str) -> dict[str, list[object]]:
    """Returns the attributes of each image's objects by its file's name."""
    found: dict[str, list[object]] = {}
    for sample in dataset.select_group_slices(media_type="image"):
        for one in sample.objects.detections:
            values = [one[name] for name in names]
            found.setdefault(Path(sample.filepath).stem, []).append(values)
    return found


def test_each_object_is_located_by_its_own_cloud(dataset: fo.Dataset) -> None:
    summary = rmb.locate_objects(dataset)
    assert (summary["objects"], summary["keyframes"]) == (4, 2)
    assert (summary["by_lidar"], summary["by_ground"]) == (2, 2)
    by = rows(dataset, "located_by", "lidar_points")
    # the first keyframe's cloud is ahead, the second's behind
    assert by == {
        "FRONT-0": [["lidar", 9]],
        "BACK-0": [["ground", 0]],
        "FRONT-1": [["ground", 0]],
        "BACK-1": [["lidar", 9]],
    }
    sizes = rows(dataset, "distance", "seen_width", "seen_height")
    for name, ((distance, width, height),) in sizes.items():
        assert distance == pytest.approx(DEPTHS[int(name[-1])], abs=1e-6)
        assert (width, height) == (pytest.approx(1), pytest.approx(1))
    fields = dataset.get_field_schema(flat=True)
    assert isinstance(fields["objects.detections.distance"], fo.FloatField)
    told = load_results(dataset, "objects_location")
    assert told["measured"] == {"lidar": 2, "ground": 2, "none": 0}


def test_in_processes_of_their_own_the_same(dataset: fo.Dataset) -> None:
    rmb.locate_objects(dataset)
    names = ("distance", "seen_width", "lidar_points", "located_by")
    alone = rows(dataset, *names)
    rmb.locate_objects(dataset, overwrite=True, workers=2)
    assert rows(dataset, *names) == alone


def test_a_rerun_measures_what_is_new(dataset: fo.Dataset) -> None:
    rmb.locate_objects(dataset.match({"group.name": "FRONT"}).limit(1))
    assert rmb.locate_objects(dataset)["objects"] == 2
    assert rmb.locate_objects(dataset)["objects"] == 0
    assert load_results(dataset, "objects_location")["measured"]["lidar"] == 1
    front = dataset.select_group_slices("FRONT").first()
    front.objects.detections.append(objects(30.0).detections[0])
    front.save()
    assert rmb.locate_objects(dataset)["objects"] == 1
    assert rmb.locate_objects(dataset, overwrite=True)["objects"] == 5


def test_a_broken_cloud_costs_its_own_keyframe_only(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    (tmp_path / "0.pcd").write_bytes(b"no points")
    summary = rmb.locate_objects(dataset)
    assert summary["failures"] == 1
    assert "0.fo3d" in summary["failed"][0]["where"]
    assert "0.pcd" in summary["failed"][0]["reason"]
    by = {name: row[0][0] for name, row in rows(dataset, "located_by").items()}
    assert by["FRONT-0"] == "ground"
    assert by["BACK-1"] == "lidar"


def test_an_image_without_calibration_is_told(dataset: fo.Dataset) -> None:
    first = dataset.select_group_slices("FRONT").first()
    first.sensor_to_world = None
    first.save()
    summary = rmb.locate_objects(dataset)
    assert summary["not_located"] == 1
    assert rows(dataset, "located_by", "distance")["FRONT-0"] == [
        ["none", None]
    ]
    assert rmb.locate_objects(dataset)["objects"] == 0


def test_an_image_s_own_lens_counts(dataset: fo.Dataset) -> None:
    own = fo.PinholeCameraIntrinsics(fx=500, fy=1000, cx=800, cy=450)
    first = dataset.select_group_slices("FRONT").first()
    first["intrinsics"] = own
    first.save()
    rmb.locate_objects(dataset)
    sizes = rows(dataset, "seen_width", "seen_height")
    assert sizes["FRONT-0"] == [[pytest.approx(2), pytest.approx(1)]]
    assert sizes["FRONT-1"] == [[pytest.approx(1), pytest.approx(1)]]


def test_what_is_missing_is_said(dataset: fo.Dataset) -> None:
    with pytest.raises(MissingStageError, match="detect_objects"):
        rmb.locate_objects(dataset, field="nothing")
    dataset.delete_sample_field("sensor_to_world")
    with pytest.raises(MissingStageError, match="how its camera stands"):
        rmb.locate_objects(dataset)


def test_annotations_keep_their_own_distance(dataset: fo.Dataset) -> None:
    dataset.add_sample_field("objects.detections.ann_token", fo.StringField)
    with pytest.raises(RaremineError, match="annotations"):
        rmb.locate_objects(dataset)
    table = read_objects(dataset, names=["distance"])
    assert np.isnan(table["distance"].astype(float)).all()
