"""A vocabulary's terms as vectors, and how near a crop or a caption is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from raremine.brain.concepts.vocabulary import Vocabulary


@dataclass(frozen=True)
class TermVectors:
    """Text embeddings of a vocabulary's terms.

    Attributes:
        vectors: (t, d) float32, L2-normalised mean over the templates
        concept: (t,) int64 index of the concept each term belongs to
        count: number of concepts
    """

    vectors: np.ndarray
    concept: np.ndarray
    count: int

    def cosines(self, queries: np.ndarray) -> np.ndarray:
        """Returns each concept's best cosine over its terms.

        Args:
            queries: (n, d) float, L2-normalised

        Returns:
            (n, concepts) float64
        """
        similarity = np.asarray(queries, np.float64) @ self.vectors.T
        out = np.full((len(queries), self.count), -1.0)
        for concept in range(self.count):
            of_concept = similarity[:, self.concept == concept]
            out[:, concept] = of_concept.max(axis=1)
        return out


def term_vectors(
    vocabulary: Vocabulary, embed_texts: object, templates: bool = True
) -> TermVectors:
    """Embeds every term of a vocabulary once.

    Args:
        vocabulary: the vocabulary
        embed_texts: function texts → (n, d) float32, L2-normalised
        templates (True): whether to average over the templates

    Returns:
        a ``TermVectors``
    """
    assert callable(embed_texts)
    texts: list[str] = []
    term: list[int] = []
    concept: list[int] = []
    for number, item in enumerate(vocabulary.concepts):
        forms = (item.templates or vocabulary.templates) if templates else ()
        for word in item.terms:
            sentences = [form.format(word) for form in forms or ("{}",)]
            texts += sentences
            term += [len(concept)] * len(sentences)
            concept.append(number)
    vectors = np.asarray(embed_texts(texts), np.float64)
    total = np.zeros((len(concept), vectors.shape[1]))
    # the mean's length is of no interest, so the sum will do
    np.add.at(total, term, vectors)
    return TermVectors(
        unit_rows(total).astype(np.float32),
        np.array(concept, dtype=np.int64),
        len(vocabulary.concepts),
    )


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Returns vectors of length one; a zero vector stays zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length == 0, 1, length))
