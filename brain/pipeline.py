"""All stages in a row: what ``mine`` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import fiftyone as fo
from fiftyone import ViewField as F

import raremine.brain as rmb
from raremine.brain.columns import (
    has_objects,
    read_objects,
    resolve,
    write_objects,
)
from raremine.brain.concepts.vocabulary import load_vocabulary
from raremine.brain.detection_and_embedding import (
    DETECTOR_OPTIONS,
    EMBEDDER_OPTIONS,
    STORE_OPTIONS,
)
from raremine.brain.errors import RaremineError
from raremine.brain.locating.stage import can_locate
from raremine.brain.models.loading import (
    CAPTIONER_OPTIONS,
    captioner_factory,
    detector_factory,
    embedder_factory,
)
from raremine.brain.presets import early_filter, preset_settings
from raremine.brain.progress import (
    ProgressArgument,
    checkpoint,
    stage_of,
)
from raremine.brain.selection.views import save_mining_views

DEFAULT_SHARES = {"random": 0.1, "target": 0.1}

DEFAULT_EMBEDDER = {"model": "ViT-B-32", "pretrained": "laion2b_s34b_b79k"}

LABELS = {
    "detect": "Detecting objects",
    "embed": "Embedding objects",
    "detect_and_embed": "Detecting and embedding objects",
    "locate": "Locating objects",
    "outliers": "Scoring outliers",
    "map": "Laying out the map",
    "caption": "Captioning objects",
    "concepts": "Matching concepts",
    "novelty": "Scoring novelty",
    "pareto": "Ranking objects",
    "select": "Selecting frames",
    "views": "Saving views",
    "export": "Exporting the selection",
    "evaluate": "Evaluating",
}
"""What a user reads while a stage runs."""

ENGINE_OPTIONS = {"engine", "actors", "workers"}


def run_pipeline(
    dataset: fo.Dataset,
    preset: str,
    *,
    detector: Any,
    embedder: Any,
    captioner: Any,
    vocabulary: Any,
    targets: Sequence[str] | None,
    recipe: Any,
    field: str,
    name: str | None,
    seed: int | None,
    out_dir: str | Path | None,
    evaluate: bool | None,
    overwrite: bool,
    progress: ProgressArgument,
) -> dict[str, Any]:
    """Runs every stage.

    See :func:`raremine.brain.mine`.
    """
    dataset = dataset._root_dataset
    settings = preset_settings(preset)
    concepts = settings["concepts"]
    if vocabulary is not None:
        concepts["vocabulary"] = vocabulary
    load_vocabulary(concepts["vocabulary"]).groups(targets)
    resolve(dataset, field)

    checkpoint("Loading the models")
    detect_with, detect_options = _detector(detector, settings["detect"])
    embed_with, embed_options = _embedder(embedder, settings["embed"])
    caption_with, caption_options = _captioner(captioner, settings["caption"])
    keys = {s: f"{field}_{s}" for s in ("clip", "outliers", "map")}

    passes = bool(settings["filter"]) or not _one_pass(
        detect_options, embed_options
    )
    located = concepts["use_size"] and can_locate(dataset)
    run = _Run(
        # outliers, map, concepts, pareto, select, views
        6
        + (2 if passes else 1)
        + located
        + (2 if caption_with is not None else 0)
        + (out_dir is not None)
        + (evaluate is not False)
    )
    common: dict[str, Any] = {
        "field": field,
        "overwrite": overwrite,
        "progress": progress,
    }
    samples: Any = dataset
    if passes:
        run.stage(
            "detect",
            lambda: rmb.detect_objects(
                dataset, detect_with, **common, **detect_options
            ),
        )
        samples = _filtered(dataset, field, settings["filter"], seed or 0)
        run.stage(
            "embed",
            lambda: rmb.embed_objects(
                samples,
                embed_with,
                brain_key=keys["clip"],
                **common,
                **embed_options,
            ),
        )
    else:
        both = run.stage(
            "detect_and_embed",
            lambda: rmb.detect_and_embed(
                dataset,
                detect_with,
                embed_with,
                brain_key=keys["clip"],
                embed=embed_options,
                **common,
                **detect_options,
            ),
        )
        run.summaries += both.values()
    if located:
        run.stage(
            "locate",
            lambda: rmb.locate_objects(
                dataset, field=field, overwrite=overwrite, progress=progress
            ),
        )
    run.stage(
        "outliers",
        lambda: rmb.score_outliers(
            samples,
            field=field,
            embeddings=keys["clip"],
            brain_key=keys["outliers"],
            overwrite=overwrite,
            **settings["outliers"],
        ),
    )
    run.stage(
        "map",
        lambda: rmb.map_objects(
            samples,
            field=field,
            embeddings=keys["clip"],
            brain_key=keys["map"],
            overwrite=overwrite,
            **settings["map"],
        ),
    )
    if caption_with is not None:
        run.stage(
            "caption",
            lambda: rmb.caption_objects(
                samples,
                caption_with,
                field=field,
                overwrite=overwrite,
                progress=progress,
                **caption_options,
            ),
        )
    run.stage(
        "concepts",
        lambda: rmb.match_concepts(
            dataset,
            field=field,
            embeddings=keys["clip"],
            embedder=embed_with,
            targets=targets,
            evidence="both" if caption_with is not None else "image",
            **{
                **concepts,
                "only_captioned": concepts.get("only_captioned", False)
                and caption_with is not None,
            },
        ),
    )
    signals = ["outlier_score"]
    if caption_with is not None:
        signals.append("novelty")
        run.stage("novelty", lambda: rmb.score_novelty(dataset, field=field))
    run.stage("pareto", lambda: rmb.rank_pareto(dataset, signals, field=field))
    selection = run.stage(
        "select",
        lambda: rmb.select_frames(
            dataset,
            recipe or {**DEFAULT_SHARES, **settings["select"]},
            name=name or selection_name(field),
            seed=seed,
            field=field,
        ),
    )
    views = run.stage(
        "views", lambda: save_mining_views(dataset, selection, field)
    )
    exported = None
    if out_dir is not None:
        exported = run.stage(
            "export",
            lambda: rmb.export_selection(
                dataset, selection, "tokens", out_dir, overwrite=True
            ),
        )
    report, why_not = _evaluate(run, dataset, field, evaluate)
    images = resolve(dataset, field).images
    summaries = {s["stage"]: s for s in run.summaries}
    matched = summaries["match_concepts"]
    return {
        "dataset": dataset.name,
        "preset": preset,
        "images": len(images),
        "frames": len(dataset),
        "objects": images.count(f"{field}.detections"),
        "groups": {g: matched[g] for g in ("target", "rare", "common")},
        "stages": run.summaries,
        "seconds": run.seconds,
        "failures": sum(s["failures"] for s in run.summaries),
        "selection": selection.to_dict(),
        "views": views,
        "export": None if exported is None else str(exported),
        "evaluation": None if report is None else report.to_dict(),
        "evaluation_skipped": why_not,
    }


def selection_name(field: str) -> str:
    """Returns the name of the selection that ``mine`` makes by default."""
    return "mined" if field == "objects" else f"mined_{field}"


class _Run:
    """Times the stages and keeps their summaries.

    Args:
        count: how many stages there will be
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self.seconds: dict[str, float] = {}
        self.summaries: list[dict[str, Any]] = []

    def stage(self, name: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        with stage_of(len(self.seconds) + 1, self._count):
            checkpoint(LABELS[name])
            result = work()
        self.seconds[name] = round(time.perf_counter() - start, 3)
        if isinstance(result, dict) and "stage" in result:
            self.summaries.append(result)
        return result


def _evaluate(
    run: _Run, dataset: fo.Dataset, field: str, evaluate: bool | None
) -> tuple[Any, str | None]:
    if evaluate is False:
        return None, "not asked for"
    try:
        report = run.stage(
            "evaluate", lambda: rmb.evaluate_mining(dataset, field=field)
        )
    except RaremineError as error:
        # nobody asked for it, and all that was mined is there
        if evaluate:
            raise
        return None, str(error)
    return report, None


def _filtered(
    dataset: fo.Dataset, field: str, settings: Mapping[str, Any], seed: int
) -> Any:
    """Returns the view of the objects that the early filter keeps."""
    if not settings or not has_objects(resolve(dataset, field), field):
        return dataset
    table = read_objects(dataset, field, ["label"])
    keep = early_filter(table["label"], tuple(settings["classes"]), seed)
    write_objects(dataset, field, table, {"kept_early": keep.tolist()})
    return resolve(dataset, field).images.filter_labels(
        field, F("kept_early").to_bool()
    )


def _one_pass(
    detect_options: Mapping[str, Any], embed_options: Mapping[str, Any]
) -> bool:
    """Whether both can be done at once: each image is then read once."""
    return set(detect_options) <= ENGINE_OPTIONS and set(embed_options) <= set(
        STORE_OPTIONS
    )


def _split(
    value: Any, what: str, settings: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Returns the model and the options, the user's over the preset's."""
    options = dict(settings)
    if isinstance(value, Mapping):
        given = dict(value)
        if "model" not in given:
            raise RaremineError(
                f"The {what}'s options {sorted(given)} do not say which "
                "model; add 'model'."
            )
        model = given.pop("model")
        return model, {**options, **given}
    return value, options


def _pop(options: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {n: options.pop(n) for n in list(options) if n in names}


def _detector(
    value: Any, settings: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    model, options = _split(value, "detector", settings)
    own = _pop(options, set(DETECTOR_OPTIONS))
    return detector_factory(model, **own)(), options


def _embedder(
    value: Any, settings: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    default = DEFAULT_EMBEDDER if value is None else value
    model, options = _split(default, "embedder", settings)
    pretrained = options.pop("pretrained", None)
    own = _pop(options, set(EMBEDDER_OPTIONS))
    if "precision" in own:
        own["dtype"] = own.pop("precision")
    return embedder_factory(model, pretrained, **own)(), options


def _captioner(
    value: Any, settings: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    if value is None:
        return None, {}
    if isinstance(value, Mapping) and "server" in value:
        given = dict(value)
        server = _pop(given, {"server", "model", *CAPTIONER_OPTIONS})
        return captioner_factory(server)(), {**settings, **given}
    model, options = _split(value, "captioner", settings)
    own = _pop(options, set(CAPTIONER_OPTIONS))
    return captioner_factory(model, **own)(), options
