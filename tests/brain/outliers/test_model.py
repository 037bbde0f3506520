"""Methods fitted on a reference set, for objects that come later."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from raremine.brain.errors import RaremineError
from raremine.brain.outliers.model import FITTED_METHODS, OutlierModel, fit
from raremine.brain.outliers.model_file import load_model, save_model
from raremine.brain.outliers.scoring import SCORERS, ScoringInput

SCORE = """
import sys, numpy as np
from raremine.brain.outliers.model_file import load_model
model = load_model(sys.argv[1])
new = np.load(sys.argv[2])
labels = np.array([("car", "bus", "dog", "new")[i % 4] for i in range(30)])
np.savez(sys.argv[3], **model.score(new, labels))
assert "sklearn" not in sys.modules
"""


def cloud(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 6)).astype(np.float32)


def names(n: int) -> np.ndarray:
    return np.array([("car", "bus", "dog", "new")[i % 4] for i in range(n)])


@pytest.fixture
def labels() -> np.ndarray:
    return np.array(["car"] * 60 + ["bus"] * 25 + ["dog"] * 4)


@pytest.fixture
def model(labels: np.ndarray) -> OutlierModel:
    return fit(cloud(89), labels, FITTED_METHODS, k=12)


def test_new_objects_get_scikit_learn_s_scores(model: OutlierModel) -> None:
    old, new = cloud(89).astype(np.float64), cloud(30, 5)
    got = model.score(new, names(30))
    wide = new.astype(np.float64)
    lof = LocalOutlierFactor(n_neighbors=12, novelty=True).fit(old)
    np.testing.assert_allclose(got["lof"], -lof.score_samples(wide))
    search = NearestNeighbors(n_neighbors=12).fit(old)
    np.testing.assert_allclose(
        got["knn"], search.kneighbors(wide)[0].mean(axis=1)
    )
    forest = IsolationForest(random_state=42).fit(cloud(89))
    np.testing.assert_allclose(
        got["isolation_forest"], -forest.score_samples(new), rtol=1e-12
    )
    cars = LocalOutlierFactor(n_neighbors=6, novelty=True).fit(old[:60])
    np.testing.assert_allclose(
        got["class_lof"][::4], -cars.score_samples(wide[::4])
    )


def test_classes_that_are_small_or_unknown(
    model: OutlierModel, labels: np.ndarray
) -> None:
    got = model.score(cloud(30, 5), names(30))
    own = SCORERS["class_lof"](ScoringInput(cloud(89), labels))
    assert set(got["class_lof"][2::4]) == {own.max()}
    assert set(got["class_lof"][3::4]) == {own.max()}
    np.testing.assert_allclose(
        got["class_rarity"][:4], -np.log([60 / 89, 25 / 89, 4 / 89, 1 / 90])
    )


def test_the_reference_set_again(
    model: OutlierModel, labels: np.ndarray
) -> None:
    own = ScoringInput(cloud(89), labels, k=12)
    again = model.score(cloud(89), labels)
    for name in ("isolation_forest", "class_rarity"):
        np.testing.assert_array_equal(again[name], SCORERS[name](own))
    # the point itself now is one of the twelve, at distance 0
    eleven = ScoringInput(cloud(89), labels, k=11)
    np.testing.assert_allclose(again["knn"], SCORERS["knn"](eleven) * 11 / 12)


def test_limits_are_those_of_the_reference_set(labels: np.ndarray) -> None:
    model = fit(
        cloud(89),
        labels,
        ["knn", "class_lof"],
        share=0.1,
        thresholds={"class_lof": ["iqr", 2]},
    )
    own = ScoringInput(cloud(89), labels)
    knn, lof = (SCORERS[n](own) for n in ("knn", "class_lof"))
    assert model.limits["knn"] == np.percentile(knn, 90)
    low, high = np.percentile(lof, [25, 75])
    assert model.limits["class_lof"] == pytest.approx(3 * high - 2 * low)


def test_a_fresh_process_scores_the_same(
    model: OutlierModel, tmp_path: Path
) -> None:
    new = cloud(30, 5)
    new[3, 1] = np.nan
    path = save_model(model, tmp_path / "deep" / "model.npz")
    np.save(tmp_path / "new.npy", new)
    arguments = [path, tmp_path / "new.npy", tmp_path / "scores.npz"]
    subprocess.run(
        [sys.executable, "-c", SCORE, *map(str, arguments)], check=True
    )
    expected = model.score(new, names(30))
    with np.load(tmp_path / "scores.npz") as scores:
        assert set(scores.files) == set(FITTED_METHODS)
        for name in FITTED_METHODS:
            np.testing.assert_array_equal(scores[name], expected[name])
    loaded = load_model(path)
    assert loaded.limits == model.limits
    assert [p.name for p in path.parent.iterdir()] == ["model.npz"]


def test_many_references_are_searched_approximately(tmp_path: Path) -> None:
    vectors = cloud(3000)
    model = fit(vectors, None, ["knn", "lof"], exact=False)
    new = cloud(40, 8)
    got = model.score(new)
    exact = fit(vectors, None, ["knn", "lof"], exact=True).score(new)
    for name in got:
        assert np.corrcoef(got[name], exact[name])[0, 1] > 0.95
    again = load_model(save_model(model, tmp_path / "m.npz")).score(new)
    np.testing.assert_array_equal(again["lof"], got["lof"])


@pytest.mark.parametrize("n", [1, 2, 3, 5, 19])
def test_any_number_of_references_and_of_new_objects(
    n: int, tmp_path: Path
) -> None:
    model = fit(cloud(n), names(n), FITTED_METHODS)
    model = load_model(save_model(model, tmp_path / "m.npz"))
    for m in (0, 1, 7):
        for scores in model.score(cloud(m, 3), names(m)).values():
            assert scores.shape == (m,)
            assert np.isfinite(scores).all()


def test_broken_vectors_are_left_out(labels: np.ndarray) -> None:
    vectors = cloud(89)
    broken = np.insert(vectors, 40, np.nan, axis=0)
    model = fit(broken, np.insert(labels, 40, "car"), FITTED_METHODS)
    plain = fit(vectors, labels, FITTED_METHODS)
    new = cloud(30, 5)
    expected = plain.score(new, names(30))
    new = np.insert(new, 7, np.inf, axis=0)
    got = model.score(new, np.insert(names(30), 7, "car"))
    for name in FITTED_METHODS:
        np.testing.assert_array_equal(np.delete(got[name], 7), expected[name])
        assert np.isnan(got[name][7]) == (name != "class_rarity")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((cloud(9), None, ["tsne_knn"]), "tsne_knn; choose from iso"),
        ((cloud(9), None, ["class_lof"]), "pass labels"),
        ((cloud(9), names(8), ["knn"]), "8 labels do not belong to 9"),
        ((np.full((3, 2), np.nan), None, ["knn"]), "None of 3 reference"),
        ((cloud(0), None, ["knn"]), "None of 0 reference"),
    ],
)
def test_what_cannot_be_fitted_is_told(
    arguments: tuple[object, ...], message: str
) -> None:
    with pytest.raises(RaremineError, match=message):
        fit(*arguments)


def test_vectors_of_another_embedder_are_told(model: OutlierModel) -> None:
    with pytest.raises(RaremineError, match="of 3 dimensions.*fitted on 6"):
        model.score(cloud(4)[:, :3], names(4))


def test_files_that_are_no_model(model: OutlierModel, tmp_path: Path) -> None:
    with pytest.raises(RaremineError, match="no outlier model at"):
        load_model(tmp_path / "absent.npz")
    path = save_model(model, tmp_path / "m.npz")
    whole = path.read_bytes()
    for name, content in {
        "text": b"hello",
        "empty": b"",
        "half": whole[: len(whole) // 2],
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RaremineError, match="not a readable outlier"):
            load_model(tmp_path / name)
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, settings=np.array([{"a": 1}], dtype=object))
    with pytest.raises(RaremineError, match="not a readable outlier"):
        load_model(pickled)
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    settings = json.loads(arrays["settings"].tobytes())
    settings["version"] = 99
    arrays["settings"] = np.frombuffer(json.dumps(settings).encode(), np.uint8)
    np.savez(tmp_path / "newer.npz", **arrays)
    with pytest.raises(RaremineError, match="version 99.*update raremine"):
        load_model(tmp_path / "newer.npz")


def test_new_objects_are_fused_by_their_ranks_in_the_reference_set() -> None:
    rng = np.random.default_rng(5)
    usual = rng.normal(size=(400, 8)).astype(np.float32)
    labels = np.array(["car"] * 390 + ["bus"] * 10, dtype=object)
    model = fit(usual, labels, ["knn", "class_rarity"], k=10, share=0.1)
    # a new kind that comes a hundred times: all of them stand out
    new = (rng.normal(size=(100, 8)) + 20).astype(np.float32)
    fused, limit = model.fuse(
        model.score(new, np.array(["car"] * 100, dtype=object)),
        "fisher",
        share=0.1,
    )
    assert (fused > limit).all()
    assert len(np.unique(fused)) == 100
    # and of more of the usual about as many as in the reference set
    more = rng.normal(size=(2000, 8)).astype(np.float32)
    fused, again = model.fuse(
        model.score(more, np.array(["car"] * 2000, dtype=object)),
        "fisher",
        share=0.1,
    )
    assert again == limit
    assert 0.05 < (fused > limit).mean() < 0.15
