"""Singulars of English nouns, by rules and a table, without a download.

Only plurals are undone. A lemmatiser of all parts of speech also turns
"parking", "painting", "saw" and "fallen" into verbs, which joins words that
mean different things in a caption.
"""

from __future__ import annotations

from functools import lru_cache

_IRREGULAR = {
    "people": "person",
    "persons": "person",
    "feet": "foot",
    "teeth": "tooth",
    "geese": "goose",
    "mice": "mouse",
    "oxen": "ox",
    "dice": "die",
    "tyre": "tire",
    "tyres": "tire",
    "tarps": "tarp",
    "passers-by": "passer-by",
    "passersby": "passerby",
    "lenses": "lens",
    "gases": "gas",
    "axes": "axe",
    "caches": "cache",
    "taxis": "taxi",
    "skis": "ski",
    "quizzes": "quiz",
    "octopuses": "octopus",
    "cactuses": "cactus",
    "viruses": "virus",
    "campuses": "campus",
    "statuses": "status",
    "walruses": "walrus",
    "busses": "bus",
    "canvases": "canvas",
    "atlases": "atlas",
    "cacti": "cactus",
    "fungi": "fungus",
    "crises": "crisis",
    "bases": "base",
    **{
        f"{stem}ves": f"{stem}f"
        for stem in (
            "wol", "cal", "hal", "shel", "el", "loa", "lea", "shea", "thie",
            "scar", "hoo", "dwar", "whar",
        )
    },
    **{f"{stem}ves": f"{stem}fe" for stem in ("kni", "wi", "li")},
    **{
        f"{stem}es": stem
        for stem in (
            "potato", "tomato", "hero", "echo", "cargo", "volcano",
            "mosquito", "mango", "buffalo", "tornado", "domino", "torpedo",
            "veto", "embargo",
        )
    },
    **{
        f"{stem}s": stem
        for stem in (
            "movie", "cookie", "hoodie", "rookie", "selfie", "zombie",
            "prairie", "calorie", "walkie-talkie", "genie", "collie",
        )
    },
}  # fmt: skip
"""Plurals that the rules below would get wrong."""

_UNCHANGED = frozenset(
    (
        "series", "species", "lens", "canvas", "gas", "news", "atlas",
        "chaos", "christmas", "texas", "pancreas", "alas", "bias", "pyjamas",
        "pajamas", "always", "sometimes", "perhaps", "towards", "besides",
        "afterwards", "upwards", "downwards", "sideways", "mercedes",
        # one thing with two halves, or a name of many things
        "glasses", "sunglasses", "eyeglasses", "goggles", "binoculars",
        "scissors", "pliers", "tongs", "shears", "tweezers", "pants",
        "trousers", "jeans", "shorts", "leggings", "overalls", "tights",
        "clothes", "goods", "hydraulics", "electronics", "headquarters",
        "barracks", "groceries", "belongings", "roadworks", "works",
        "gallows", "specimen", "omen", "abdomen", "regimen", "stamen",
        "yemen",
    )
)  # fmt: skip
"""Words that only look like plurals, or have no singular of their own."""


@lru_cache(maxsize=1 << 16)
def lemma(word: str) -> str:
    """Returns the singular of an English noun, the word itself otherwise.

    Args:
        word: a word in lower case; of one with hyphens the end is looked at
    """
    if word in _UNCHANGED:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    head, hyphen, last = word.rpartition("-")
    if hyphen and last:
        return head + hyphen + lemma(last)
    if word.endswith("children"):
        return word[:-3]
    if len(word) > 2 and word.endswith("men"):
        return word[:-2] + "an"
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "buses")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if (
        len(word) > 3
        and word.endswith("s")
        and not word.endswith(("ss", "us", "is"))
    ):
        return word[:-1]
    return word
