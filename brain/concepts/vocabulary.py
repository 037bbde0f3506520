"""The concept vocabulary: a YAML file that the user edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raremine.brain.errors import VocabularyError

GROUPS = ("common", "rare", "target")

SHIPPED = {"driving": "driving.yml", "paper": "paper.yml"}

_KEYS = {"name", "group", "nuscenes", "synonyms", "fine"}


@dataclass(frozen=True)
class Concept:
    """One concept.

    Attributes:
        name: as words, "construction vehicle"
        group: "common", "rare" or "target"
        nuscenes: nuScenes detection class, None if it is none of the ten
        terms: the name, its synonyms and its fine terms
    """

    name: str
    group: str
    nuscenes: str | None
    terms: tuple[str, ...]


@dataclass(frozen=True)
class Vocabulary:
    """Concepts and the templates that put their terms into a sentence.

    Attributes:
        concepts: at least two, names unique
        templates: each with one ``{}``
        source: where it came from
    """

    concepts: tuple[Concept, ...]
    templates: tuple[str, ...]
    source: str = "vocabulary"
    _by_term: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for concept in self.concepts:
            for term in concept.terms:
                self._by_term.setdefault(term, concept.name)
            if concept.nuscenes:
                words = concept.nuscenes.replace("_", " ")
                self._by_term.setdefault(words, concept.name)

    @property
    def names(self) -> list[str]:
        """The concepts' names, in the file's order."""
        return [concept.name for concept in self.concepts]

    def groups(self, targets: Sequence[str] | None = None) -> dict[str, str]:
        """Returns concept → group.

        Args:
            targets (None): the user's own target concepts, which replace the
                file's; a target of the file that is not among them is rare

        Raises:
            VocabularyError: if a target is no concept
        """
        groups = {c.name: c.group for c in self.concepts}
        if targets is None:
            return groups
        wanted = {normalize(t) for t in targets}
        unknown = sorted(wanted - set(groups))
        if unknown:
            raise VocabularyError(
                f"Target concept {', '.join(unknown)} is not in {self.source}"
                f" (concepts: {', '.join(groups)}); add it or correct it."
            )
        return {
            name: "target"
            if name in wanted
            else ("rare" if group == "target" else group)
            for name, group in groups.items()
        }

    def concept_of(self, term: str) -> str | None:
        """Returns the concept whose name, synonym or fine term this is."""
        return self._by_term.get(normalize(term))


def normalize(term: str) -> str:
    """Returns a term in lower case, with spaces for underscores."""
    return " ".join(str(term).lower().replace("_", " ").split())


def load_vocabulary(
    source: str | Path | Mapping[str, Any] | Vocabulary | None = None,
) -> Vocabulary:
    """Loads and validates a vocabulary.

    Args:
        source (None): None or "driving" = the shipped one, "paper" = that of
            arXiv 2512.05482, a YAML file, or the same as a dict

    Raises:
        VocabularyError: naming the file, the line and what is wrong there
    """
    if isinstance(source, Vocabulary):
        return source
    if isinstance(source, Mapping):
        return _build(dict(source), "the given vocabulary", {})
    name = "driving" if source is None else str(source)
    path = (
        Path(__file__).with_name(SHIPPED[name])
        if name in SHIPPED
        else Path(name)
    )
    if not path.is_file():
        raise VocabularyError(
            f"No vocabulary file '{path}'; pass a YAML file, or one of "
            f"{', '.join(SHIPPED)}."
        )
    data, lines = _read(path)
    return _build(data, path.name, lines)


def _read(path: Path) -> tuple[Any, dict[int, int]]:
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise VocabularyError(
            f"{path.name}: not a UTF-8 text file; pass a YAML file."
        ) from error
    try:
        data = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise VocabularyError(
            f"{path.name}{where}: not valid YAML ({problem})."
        ) from error
    lines: dict[int, int] = {}
    for key, value in getattr(root, "value", None) or []:
        if getattr(key, "value", None) == "concepts" and isinstance(
            value, yaml.SequenceNode
        ):
            for number, item in enumerate(value.value):
                lines[number] = item.start_mark.line + 1
    return data, lines


def _build(data: Any, source: str, lines: Mapping[int, int]) -> Vocabulary:
    if not isinstance(data, dict) or not isinstance(
        data.get("concepts"), list
    ):
        raise VocabularyError(
            f"{source}: expected a mapping with a list 'concepts'."
        )
    templates = data.get("templates") or ["{}"]
    if not isinstance(templates, list):
        raise VocabularyError(
            f"{source}: 'templates' must be a list of texts."
        )
    for template in templates:
        if not isinstance(template, str) or template.count("{}") != 1:
            raise VocabularyError(
                f"{source}: template {template!r} must hold {{}} once."
            )
    concepts = []
    taken: dict[str, str] = {}
    for number, item in enumerate(data["concepts"]):
        at = f"{source}, line {lines[number]}" if number in lines else source
        concept = _concept(item, at)
        for term in concept.terms:
            if term in taken:
                raise VocabularyError(
                    f"{at}: '{term}' of concept '{concept.name}' already "
                    f"belongs to '{taken[term]}'; a term can name one "
                    "concept only."
                )
            taken[term] = concept.name
        concepts.append(concept)
    if len(concepts) < 2:
        raise VocabularyError(
            f"{source}: a vocabulary needs at least two concepts."
        )
    return Vocabulary(tuple(concepts), tuple(templates), source)


def _concept(item: Any, at: str) -> Concept:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise VocabularyError(f"{at}: a concept needs a 'name'.")
    unknown = sorted(set(item) - _KEYS)
    if unknown:
        raise VocabularyError(
            f"{at}: concept '{item['name']}' has unknown key "
            f"{', '.join(unknown)}; known are {', '.join(sorted(_KEYS))}."
        )
    group = item.get("group", "rare")
    if group not in GROUPS:
        raise VocabularyError(
            f"{at}: concept '{item['name']}' has group {group!r}; choose "
            f"{', '.join(GROUPS)}."
        )
    terms = [item["name"]]
    for key in ("synonyms", "fine"):
        values = item.get(key) or []
        if not isinstance(values, list) or not all(
            isinstance(v, str) for v in values
        ):
            raise VocabularyError(
                f"{at}: '{key}' of concept '{item['name']}' must be a list "
                "of texts."
            )
        terms += values
    nuscenes = item.get("nuscenes")
    if nuscenes is not None and not isinstance(nuscenes, str):
        raise VocabularyError(
            f"{at}: 'nuscenes' of concept '{item['name']}' must be the name "
            "of one nuScenes class."
        )
    if not all(normalize(term) for term in terms):
        raise VocabularyError(
            f"{at}: concept '{item['name']}' has a blank name or term."
        )
    return Concept(
        normalize(item["name"]),
        group,
        nuscenes,
        tuple(dict.fromkeys(normalize(t) for t in terms)),
    )
