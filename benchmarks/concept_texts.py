"""Concepts from text alone: precision and recall on human-like descriptions.

    python3 run.py bench concept_texts [--json FILE] [--embedder FOLDER]

Descriptions of single objects in the style of annotators, with the class and
group an annotator of nuScenes would give them. ``seen`` was written first,
and what went wrong there was looked at when the rules of ``naming`` were
written; ``blind`` was written by somebody who knew neither the vocabulary nor
the rules, and its mistakes were not looked at. The text encoder is the
demo's, which knows the phrases of rendered worlds only; a CLIP model's would
know more.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import machine, table, write_json
from raremine.brain.concepts.matcher import match
from raremine.brain.concepts.naming import ConceptNames
from raremine.brain.concepts.term_vectors import term_vectors
from raremine.brain.concepts.vocabulary import Vocabulary, load_vocabulary

DATA = Path(__file__).with_name("data")
SETS = {
    "seen": DATA / "object_descriptions.csv",
    "blind": DATA / "blind_descriptions.csv",
}
EMBEDDER = Path(__file__).resolve().parents[1] / "demo/weights/embedder"


def read_descriptions(name: str) -> list[dict[str, str]]:
    """Returns rows with ``description``, ``class`` and ``group``."""
    with SETS[name].open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_names(texts: Sequence[str], words: Vocabulary) -> list[str | None]:
    """Returns the concept that each text names in so many words."""
    names = ConceptNames(words)
    return [names.concept(text) for text in texts]


def by_encoder(
    texts: Sequence[str], words: Vocabulary, embedder: Any
) -> list[str | None]:
    """Returns the concept of each text, by names and cosines."""
    terms = term_vectors(words, embedder.embed_texts)
    place = {name: at for at, name in enumerate(words.names)}
    named = [place.get(name or "", -1) for name in by_names(texts, words)]
    decision = match(
        terms.cosines(embedder.embed_texts(list(texts))),
        None,
        np.array(named),
        logit_scale=embedder.logit_scale,
    )
    return [words.names[at] for at in decision.best]


def scores(
    of: str, way: str, truth: Sequence[str], found: Sequence[str | None]
) -> list[dict[str, Any]]:
    """Returns precision and recall of each class, and over all."""
    rows = []
    for name in (*dict.fromkeys(truth), "all"):
        if name == "all":
            right = sum(t == f for t, f in zip(truth, found, strict=True))
            said, there = sum(f is not None for f in found), len(truth)
        else:
            pairs = list(zip(truth, found, strict=True))
            right = pairs.count((name, name))
            said, there = list(found).count(name), list(truth).count(name)
        rows.append(
            {
                "set": of,
                "text evidence": way,
                "of": name,
                "descriptions": there,
                "precision": right / said if said else None,
                "recall": right / there,
            }
        )
    return rows


def main() -> None:
    """Prints both ways, by concept and by group, and what was missed."""
    parser = argparse.ArgumentParser(
        prog="run.py bench concept_texts", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="the same")
    parser.add_argument("--embedder", type=Path, default=EMBEDDER)
    options = parser.parse_args()
    from raremine.brain.models.open_clip_embedder import OpenClipEmbedder

    words = load_vocabulary()
    groups = words.groups()
    embedder = OpenClipEmbedder(str(options.embedder))
    parts: dict[str, list[dict[str, Any]]] = {"concepts": [], "groups": []}
    missed = []
    for of in SETS:
        rows = read_descriptions(of)
        texts = [row["description"] for row in rows]
        ways = {
            "names": by_names(texts, words),
            "names and text encoder": by_encoder(texts, words, embedder),
        }
        for way, found in ways.items():
            parts["concepts"] += scores(
                of, way, [r["class"] for r in rows], found
            )
            parts["groups"] += scores(
                of,
                way,
                [r["group"] for r in rows],
                [groups[name] if name else None for name in found],
            )
        if of == "seen":
            missed += [
                f"  {row['description']} {row['class']}, said: {name}"
                for row, name in zip(rows, ways["names"], strict=True)
                if name != row["class"]
            ]
    for part in parts.values():
        print(f"\n{table(part)}")
    print("\nOf the seen set, names miss:", *missed, sep="\n")
    write_json(options.json, {**parts, "machine": machine()})


if __name__ == "__main__":
    main()
