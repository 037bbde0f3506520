"""Objects are scored and ranked by how unusual they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def score_outliers(
    samples: Any,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    methods: Sequence[str] = ("knn", "class_rarity"),
    fusion: str = "fisher",
    weights: Mapping[str, float] | None = None,
    share: float = 0.2,
    k: int = 100,
    seed: int = 42,
    thresholds: Mapping[str, Sequence[Any]] | None = None,
    exact: bool | None = None,
    model: str | Path | None = None,
    brain_key: str = "objects_outliers",
    overwrite: bool = False,
) -> dict[str, Any]:
    """Scores how unusual each object is.

    Writes one raw score a method (higher = more unusual), ``outlier`` (the
    fused flag), ``outlier_by`` (the methods that flagged it) and
    ``outlier_score`` (the fused one, in (0, 1)).

    Args:
        samples: any collection with embedded objects
        field ("objects"): detections field
        embeddings ("objects_clip"): brain key of the vectors
        methods (("knn", "class_rarity")): any of isolation_forest, knn,
            lof, class_lof, tsne_knn, umap_knn, class_rarity
        fusion ("fisher"): fisher or mean_rank flag the top share of the
            fused score; union, intersection or majority join the methods'
            own flags
        weights (None): method → weight in fisher and mean_rank; None = 3 for
            knn in fisher, 1 for all others
        share (0.2): share of the objects that is flagged, by each method and
            by the fused score; of tied scores none rather than too many
        k (100): neighbours of knn, lof and the maps' scores; should exceed
            the number of crops that show one and the same object
        seed (42): seed of isolation_forest and tsne_knn
        thresholds (None): other limits by method, such as
            ``{"knn": ("iqr", 1.5)}`` (third quartile plus 1.5 interquartile
            ranges) or ``("percentile", 95)``
        exact (None): whether nearest neighbours are searched exactly; None =
            up to 20,000 objects
        model (None): file that ``fit_outliers`` has written: objects are
            scored against those of its reference set, by its own methods
            and limits, not against each other
        brain_key ("objects_outliers"): brain key of the run
        overwrite (False): redo it although nothing has changed

    Returns:
        summary with ``objects``, ``outliers``, ``by_<method>``,
        ``without_vector``, ``unscored`` (their vector is not finite) and
        ``seconds``

    Raises:
        MissingStageError: if there are no embeddings under that key
        RaremineError: if a method, the fusion or a threshold is unknown
    """
    from raremine.brain.outliers.stage import score

    return score(
        samples,
        field=field,
        embeddings=embeddings,
        methods=methods,
        fusion=fusion,
        weights=weights,
        share=share,
        k=k,
        seed=seed,
        thresholds=thresholds,
        exact=exact,
        model=model,
        brain_key=brain_key,
        overwrite=overwrite,
    )


def fit_outliers(
    samples: Any,
    path: str | Path,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    methods: Sequence[str] = ("knn", "class_rarity"),
    share: float = 0.2,
    k: int = 100,
    seed: int = 42,
    thresholds: Mapping[str, Sequence[Any]] | None = None,
    exact: bool | None = None,
) -> dict[str, Any]:
    """Learns what is usual from a reference set, such as last month's data.

    ``score_outliers(samples, model=path)`` then scores other objects against
    it. The file holds arrays and settings only, nothing that could run.

    Args:
        samples: the reference set, any collection with embedded objects
        path: file of the model, an older one is replaced
        field ("objects"): detections field
        embeddings ("objects_clip"): brain key of the vectors
        methods (("knn", "class_rarity")): any of isolation_forest, knn,
            lof, class_lof, class_rarity; maps cannot take new points
        share (0.2): share of the reference objects above each method's limit
        k (100): neighbours of knn and lof
        seed (42): seed of whatever is random
        thresholds (None): other limits by method, see ``score_outliers``
        exact (None): how neighbours are searched, see ``score_outliers``

    Returns:
        summary with ``objects``, ``unscored``, ``without_vector``, ``path``
        and ``seconds``

    Raises:
        MissingStageError: if there are no embeddings under that key
        RaremineError: if no object has a vector or a setting is wrong
    """
    from raremine.brain.outliers.stage import fit_reference

    return fit_reference(
        samples,
        path,
        field=field,
        embeddings=embeddings,
        methods=methods,
        share=share,
        k=k,
        seed=seed,
        thresholds=thresholds,
        exact=exact,
    )


def score_novelty(
    samples: Any,
    *,
    field: str = "objects",
    pooling: str = "mean",
    min_count: int = 1,
    source: str = "both",
    per: str = "object",
    min_in_scene: int = 1,
    ngrams: int = 2,
    stop_words: Sequence[str] = (),
    keep_words: Sequence[str] = (),
    brain_key: str | None = None,
) -> dict[str, Any]:
    """Scores each captioned object by how rare its keywords are (VLMine).

    Writes ``keywords`` and ``novelty`` = -log(pooled frequency / N); the
    run's results hold the keyword table.

    Args:
        samples: any collection with captioned objects; counted are these
        field ("objects"): detections field
        pooling ("mean"): "mean" or "min" of the keywords' frequencies
        min_count (1): keywords of fewer objects do not count
        source ("both"): keywords from the "model", from the caption by
            "rules", or "both"
        per ("object"): what frequency and N count: "object", or "scene", for
            which a thing seen in forty keyframes of a scene is one sighting
        min_in_scene (1): keywords of fewer objects in each of their scenes do
            not count: what is seen once and never again is often made up
        ngrams (2): longest keyword in words
        stop_words (()): words or phrases that are no keywords, besides the
            built-in list
        keep_words (()): words of the built-in list that are keywords
        brain_key (None): brain key of the run, None = ``<field>_novelty``

    Returns:
        summary with ``objects``, ``keywords`` and ``seconds``

    Raises:
        MissingStageError: if there are no captions
        RaremineError: if a setting is wrong, or scenes are to be counted and
            the dataset names none
    """
    from raremine.brain.novelty.stage import score_keywords

    return score_keywords(
        samples,
        field=field,
        pooling=pooling,
        min_count=min_count,
        source=source,
        per=per,
        min_in_scene=min_in_scene,
        ngrams=ngrams,
        stop_words=stop_words,
        keep_words=keep_words,
        brain_key=brain_key,
    )


def rank_pareto(
    samples: Any,
    signals: Sequence[str] = ("outlier_score", "novelty"),
    *,
    field: str = "objects",
    missing: str = "last",
    brain_key: str | None = None,
) -> dict[str, Any]:
    """Ranks objects by several signals at once (VLMine's Pareto mining).

    Writes ``pareto_front``, 0 for objects that no other beats in all signals,
    and ``pareto_order``, the place by front and inside it by mean rank: the
    places below b are the choice for a budget of b objects.

    Args:
        samples: any collection with scored objects; compared are these
        signals (("outlier_score", "novelty")): numeric fields, higher = more
            worth mining: of the objects or, where they have none of that
            name, of their images; "frame:uniqueness" is the image's anyway,
            and a minus ("-confidence") turns one around
        field ("objects"): detections field
        missing ("last"): an object without a value comes "last" in that
            signal, whatever its direction, or is left out ("skip"); one
            without any value is always left out
        brain_key (None): brain key of the run, None = ``<field>_pareto``

    Returns:
        summary with ``objects``, ``fronts``, ``first_front``,
        ``without_signal`` and ``seconds``

    Raises:
        MissingStageError: if a signal has not been computed
        RaremineError: if a signal holds no numbers or is named twice
    """
    from raremine.brain.novelty.ranking import rank

    return rank(
        samples, signals, field=field, missing=missing, brain_key=brain_key
    )
