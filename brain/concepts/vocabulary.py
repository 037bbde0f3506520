"""The concept vocabulary: a YAML file that the user edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raremine.brain.concepts.sizes import Range, Size
from raremine.brain.errors import VocabularyError

GROUPS = ("common", "rare", "target")

SHIPPED = {"driving": "driving.yml", "paper": "paper.yml"}

_KEYS = {
    *("name", "group", "nuscenes", "synonyms", "fine"),
    *("templates", "ridden", "size", "needs_size"),
}
_TOP_KEYS = {"concepts", "templates"}

Place = tuple[str | int, ...]
"""Keys and numbers that lead to a value of a YAML file."""


@dataclass(frozen=True)
class Concept:
    """One concept.

    Attributes:
        name: as words, "construction vehicle"
        group: "common", "rare" or "target"
        nuscenes: nuScenes detection class, None if it is none of the ten
        terms: the name, its synonyms and its fine terms
        templates: its own, each with one ``{}``; none = the vocabulary's
        ridden: whether a person on it counts as part of it
        size: how large it is, None = that says nothing of it
        needs_size: whether it looks like another concept, so that it counts
            only where the size was measured or a caption names it
    """

    name: str
    group: str
    nuscenes: str | None
    terms: tuple[str, ...]
    templates: tuple[str, ...] = ()
    ridden: bool = False
    size: Size | None = None
    needs_size: bool = False


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
        return _Reader("the given vocabulary", {}).build(dict(source))
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
    return _Reader(path.name, lines).build(data)


def _read(path: Path) -> tuple[Any, dict[Place, int]]:
    """Returns what a file holds and the line of each of its values."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise VocabularyError(
            f"{path.name}: not a UTF-8 text file; pass a YAML file."
        ) from error
    lines: dict[Place, int] = {}
    seen: set[int] = set()

    def note(node: Any, place: Place) -> None:
        lines.setdefault(place, node.start_mark.line + 1)
        if id(node) in seen:
            # an alias, which may even stand inside of what it names
            return
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                note(item, (*place, number))
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = (*place, str(key.value))
                if inner in lines:
                    raise VocabularyError(
                        f"{path.name}, line {key.start_mark.line + 1}: "
                        f"'{key.value}' stands here a second time; YAML "
                        "would keep the last only."
                    )
                lines[inner] = key.start_mark.line + 1
                note(value, inner)

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
    if root is not None:
        note(root, ())
    return data, lines


class _Reader:
    """Turns plain data into a vocabulary, telling where a mistake is."""

    def __init__(self, source: str, lines: Mapping[Place, int]) -> None:
        self._source = source
        self._lines = lines

    def build(self, data: Any) -> Vocabulary:
        """Builds the vocabulary."""
        if not isinstance(data, dict) or not isinstance(
            data.get("concepts"), list
        ):
            raise self._error(
                ("concepts",), "expected a mapping with a list 'concepts'."
            )
        self._check_keys(data, _TOP_KEYS, (), "the vocabulary")
        templates = self._templates(data, (), "") or ("{}",)
        concepts = []
        taken: dict[str, str] = {}
        for number, item in enumerate(data["concepts"]):
            concept, places = self._concept(item, ("concepts", number))
            for term in concept.terms:
                if term in taken:
                    raise self._error(
                        places[term],
                        f"'{term}' of concept '{concept.name}' already "
                        f"belongs to '{taken[term]}'; a term can name one "
                        "concept only.",
                    )
                taken[term] = concept.name
            concepts.append(concept)
        if len(concepts) < 2:
            raise self._error(
                ("concepts",), "a vocabulary needs at least two concepts."
            )
        return Vocabulary(tuple(concepts), templates, self._source)

    def _concept(
        self, item: Any, place: Place
    ) -> tuple[Concept, dict[str, Place]]:
        """Returns a concept and where each of its terms stands."""
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise self._error(place, "a concept needs a 'name'.")
        name = item["name"]
        self._check_keys(item, _KEYS, place, f"concept '{name}'")
        group = item.get("group", "rare")
        if group not in GROUPS:
            raise self._error(
                (*place, "group"),
                f"concept '{name}' has group {group!r}; choose "
                f"{', '.join(GROUPS)}.",
            )
        terms: list[tuple[str, Place]] = [(name, (*place, "name"))]
        for key in ("synonyms", "fine"):
            values = self._texts(item, key, place, f" of concept '{name}'")
            terms += [
                (value, (*place, key, at)) for at, value in enumerate(values)
            ]
        nuscenes = item.get("nuscenes")
        if nuscenes is not None and not isinstance(nuscenes, str):
            raise self._error(
                (*place, "nuscenes"),
                f"'nuscenes' of concept '{name}' must be the name of one "
                "nuScenes class.",
            )
        flags = {key: item.get(key, False) for key in ("ridden", "needs_size")}
        for key, value in flags.items():
            if not isinstance(value, bool):
                raise self._error(
                    (*place, key),
                    f"'{key}' of concept '{name}' must be true or false.",
                )
        if flags["needs_size"] and item.get("size") is None:
            raise self._error(
                (*place, "needs_size"),
                f"concept '{name}' needs its 'size' to be told from others; "
                "add one.",
            )
        places: dict[str, Place] = {}
        for term, at in terms:
            if not normalize(term):
                raise self._error(
                    at, f"concept '{name}' has a blank name or term."
                )
            places.setdefault(normalize(term), at)
        concept = Concept(
            normalize(name),
            group,
            nuscenes,
            tuple(places),
            self._templates(item, place, f" of concept '{name}'"),
            flags["ridden"],
            self._size(item, place, name),
            flags["needs_size"],
        )
        return concept, places

    def _size(
        self, item: Mapping[str, Any], place: Place, name: str
    ) -> Size | None:
        given = item.get("size")
        if given is None:
            return None
        sides = ("height", "width")
        at = (*place, "size")
        if not isinstance(given, dict) or not set(given) <= set(sides):
            raise self._error(
                at,
                f"'size' of concept '{name}' must give height, width or both,"
                " such as {height: [1.3, 2.1], width: [1.5, 5.2]} in metres.",
            )
        return Size(
            *(
                self._range(given[side], (*at, side), f"{side} of '{name}'")
                if side in given
                else None
                for side in sides
            )
        )

    def _range(self, value: Any, place: Place, owner: str) -> Range:
        if (
            not isinstance(value, list)
            or len(value) != 2
            or not all(
                isinstance(end, int | float) and not isinstance(end, bool)
                for end in value
            )
            or not 0 < value[0] < value[1] < float("inf")
        ):
            raise self._error(
                place,
                f"the {owner} must be the least and the most in metres, such "
                "as [1.3, 2.1].",
            )
        return float(value[0]), float(value[1])

    def _templates(
        self, item: Mapping[str, Any], place: Place, owner: str
    ) -> tuple[str, ...]:
        templates = self._texts(item, "templates", place, owner)
        for at, template in enumerate(templates):
            if template.count("{}") != 1:
                raise self._error(
                    (*place, "templates", at),
                    f"template {template!r}{owner} must hold {{}} once.",
                )
        return tuple(templates)

    def _texts(
        self, item: Mapping[str, Any], key: str, place: Place, owner: str
    ) -> list[str]:
        values = item.get(key) or []
        if not isinstance(values, list) or not all(
            isinstance(value, str) for value in values
        ):
            raise self._error(
                (*place, key), f"'{key}'{owner} must be a list of texts."
            )
        return values

    def _check_keys(
        self,
        item: Mapping[str, Any],
        known: set[str],
        place: Place,
        owner: str,
    ) -> None:
        unknown = sorted(str(key) for key in set(item) - known)
        if unknown:
            raise self._error(
                (*place, unknown[0]),
                f"{owner} has unknown key {', '.join(unknown)}; known are "
                f"{', '.join(sorted(known))}.",
            )

    def _error(self, place: Place, problem: str) -> VocabularyError:
        """Returns an error that names the line of a value, or near it."""
        for end in range(len(place), 0, -1):
            if place[:end] in self._lines:
                line = self._lines[place[:end]]
                return VocabularyError(
                    f"{self._source}, line {line}: {problem}"
                )
        return VocabularyError(f"{self._source}: {problem}")
