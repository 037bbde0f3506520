"""The 3D slice's images, with FiftyOne's own projection as judge."""

from __future__ import annotations

from pathlib import Path

import fiftyone as fo
import fiftyone.utils.utils3d as fou3d
import numpy as np
import pytest
from PIL import Image

from raremine.brain.nuscenes.conversion import with_scenes
from raremine.brain.nuscenes.lidar import LIDAR_COLUMNS
from raremine.brain.nuscenes.pcd import write_pcd
from raremine.brain.nuscenes.records import Tables
from raremine.brain.nuscenes.scene_writer import SceneResult
from raremine.brain.nuscenes.tables import read_tables
from raremine.brain.nuscenes.thumbnails import (
    MAX_BOUND,
    MIN_BOUND,
    SIZE,
    HeightMap,
    is_thumbnail,
    thumbnail_metadata,
    write_thumbnail,
)

from .conftest import VERSION, Dataroot

BACKGROUND = (13, 15, 20)


def cloud(count: int = 3000) -> np.ndarray:
    """Points over more than the field of view, some of them on its edges."""
    rng = np.random.default_rng(6)
    points = rng.uniform(-70, 70, (count, 5)).astype("<f4")
    points[:, 2] /= 2
    points[:20, :2] = rng.choice([-50.0, 0.0, 50.0], (20, 2))
    points[:20, 2] = 1.0
    return points


def projected(path: Path) -> tuple[np.ndarray, dict]:
    """FiftyOne's image of a cloud, as a mask, and its metadata."""
    image, metadata = fou3d.compute_orthographic_projection_image(
        str(path), (SIZE, SIZE), bounds=(MIN_BOUND, MAX_BOUND)
    )
    return image.any(axis=2), metadata.to_dict()


def painted(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.size == (SIZE, SIZE)
        pixels = np.asarray(image.convert("RGB"))
    return (pixels != BACKGROUND).any(axis=2)


def grown(mask: np.ndarray, spread: int) -> np.ndarray:
    """A mask whose pixels also cover those to the right and above."""
    out = np.zeros_like(mask)
    for down in range(spread):
        for right in range(spread):
            rows, columns = np.nonzero(mask)
            inside = (rows >= down) & (columns + right < SIZE)
            out[rows[inside] - down, columns[inside] + right] = True
    return out


@pytest.mark.parametrize("spread", [1, 2, 5])
def test_points_lie_where_fiftyone_draws_them(
    tmp_path: Path, spread: int
) -> None:
    source, target = tmp_path / "cloud.pcd", tmp_path / "cloud.png"
    write_pcd(source, LIDAR_COLUMNS, cloud(), "")
    heights = HeightMap(spread)
    for part in np.array_split(cloud(), 3):
        heights.add(part)
    write_thumbnail(target, heights, "stamp")
    expected, metadata = projected(source)
    assert 500 < expected.sum() < SIZE**2 / 2
    assert (painted(target) == grown(expected, spread)).all()
    ours = fou3d.OrthographicProjectionMetadata(**thumbnail_metadata(target))
    values = ours.to_dict()
    assert values.pop("filepath") == str(target)
    assert values == metadata


def test_ahead_is_right_and_left_is_up(tmp_path: Path) -> None:
    heights = HeightMap(1)
    heights.add(np.array([[40.0, 0, 0], [0, 40, 0], [0, 45, 0]]))
    rows, columns = np.nonzero(heights.image())
    found = set(zip(rows.tolist(), columns.tolist(), strict=True))
    # 0.25 m a pixel, the ego in the middle
    assert found == {(200, 359), (40, 199), (20, 199)}


def test_the_highest_point_gives_the_colour() -> None:
    alone, both = HeightMap(), HeightMap()
    low = np.array([[10.0, 10, 0]])
    high = np.array([[10.0, 10, 2]])
    alone.add(high)
    both.add(np.concatenate([high, low]))
    assert (both.image() == alone.image()).all()
    only_low = HeightMap()
    only_low.add(low)
    assert 0 < only_low.image().max() < alone.image().max()


def test_only_a_complete_thumbnail_of_the_same_clouds_is_reused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.png"
    assert not is_thumbnail(path, "stamp")
    write_thumbnail(path, HeightMap(), "stamp")
    assert is_thumbnail(path, "stamp")
    assert not is_thumbnail(path, "stam")
    assert not is_thumbnail(path, "stamp2")
    path.write_bytes(path.read_bytes()[:-3])
    assert not is_thumbnail(path, "stamp")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def convert(tables: Tables, folder: Path) -> list[SceneResult]:
    (batch,) = with_scenes(tables, "LIDAR_TOP", folder)
    return [result for _, result in batch if result is not None]


def shown(result: SceneResult) -> Path:
    assert result.thumbnail_metadata is not None
    path = Path(result.thumbnail_metadata["filepath"])
    assert path.parent == result.path.parent
    return path


def test_every_scene_has_the_image_of_its_lidar(
    tiny: Dataroot, tmp_path: Path
) -> None:
    tables = read_tables(tiny.write(), VERSION, radar=True, sweeps=2)
    for result in convert(tables, tmp_path):
        scene = fo.Scene.from_fo3d(str(result.path))
        (lidar,) = (c for c in scene.children if c.name == "LIDAR_TOP")
        expected, _ = projected(result.path.parent / lidar.pcd_path)
        assert (painted(shown(result)) == grown(expected, 2)).all()


def test_what_is_there_is_kept_and_what_is_gone_made_anew(
    tiny: Dataroot, tmp_path: Path
) -> None:
    tables = read_tables(tiny.write(), VERSION)
    images = [shown(r) for r in convert(tables, tmp_path)]
    clouds = [i.with_suffix(".pcd") for i in images]
    before = [i.read_bytes() for i in images]
    images[0].unlink()
    images[1].write_bytes(before[1][:100])
    times = [p.stat().st_mtime_ns for p in (*images[2:], *clouds)]
    assert [shown(r) for r in convert(tables, tmp_path)] == images
    assert [i.read_bytes() for i in images] == before
    assert [p.stat().st_mtime_ns for p in (*images[2:], *clouds)] == times


def test_another_cloud_gets_another_image(
    tiny: Dataroot, tmp_path: Path
) -> None:
    tables = read_tables(tiny.write(), VERSION)
    image = shown(convert(tables, tmp_path)[0])
    before = image.read_bytes()
    source = tiny.path / tables.frames[0].data["LIDAR_TOP"].filename
    source.write_bytes(source.read_bytes()[:-200])
    assert shown(convert(tables, tmp_path)[0]) == image
    assert image.read_bytes() != before


def test_a_cloud_that_cannot_be_read_leaves_an_empty_image(
    tiny: Dataroot, tmp_path: Path
) -> None:
    # the App needs one to draw the cuboids of such a keyframe
    tables = read_tables(tiny.write(), VERSION)
    source = tiny.path / tables.frames[0].data["LIDAR_TOP"].filename
    content = source.read_bytes()
    source.write_bytes(content[:-1])
    absent = {tables.frames[1].data["LIDAR_TOP"].token}
    (batch,) = with_scenes(tables, "LIDAR_TOP", tmp_path, absent)
    damaged, missing, whole, *_ = (r for _, r in batch if r is not None)
    assert list(damaged.failed) == ["LIDAR_TOP"] and missing.failed == {}
    assert not painted(shown(damaged)).any()
    assert not painted(shown(missing)).any()
    assert painted(shown(whole)).any()
    source.write_bytes(content)
    mended, *_ = convert(tables, tmp_path)
    assert painted(shown(mended)).any()


def test_points_that_are_mended_appear(tiny: Dataroot, tmp_path: Path) -> None:
    tables = read_tables(tiny.write(), VERSION)
    source = tiny.path / tables.frames[0].data["LIDAR_TOP"].filename
    content = source.read_bytes()
    points = np.frombuffer(content, "<f4").reshape(-1, 5).copy()
    points[5:, 0] = np.nan
    points.tofile(source)
    first, *_ = convert(tables, tmp_path)
    few = painted(shown(first)).sum()
    assert 0 < few < 30 and "LIDAR_TOP" in first.partial
    # of the same size, so that only the fault tells that it was not whole
    source.write_bytes(content)
    first, *_ = convert(tables, tmp_path)
    assert painted(shown(first)).sum() > few and first.partial == {}
