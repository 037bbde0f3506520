"""From scores to a limit above which an object is flagged.

An object is flagged where ``score > limit``. Objects whose scores are tied
at the limit are therefore all left out: ties flag fewer objects than asked,
never more, and scores that are all equal flag nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from raremine.brain.errors import RaremineError

KINDS = ("share", "percentile", "iqr")
DEFAULTS = {"share": 0.2, "percentile": 80.0, "iqr": 1.5}


@dataclass(frozen=True)
class ThresholdRule:
    """How a method's limit is found.

    Args:
        kind ("share"): "share" of the objects that is flagged (scikit-learn's
            contamination), "percentile" of the scores, or "iqr": the third
            quartile plus ``value`` interquartile ranges (Tukey's fence)
        value (None): the share in (0, 1), the percentile in (0, 100), the
            number of interquartile ranges >= 0; None = 0.2, 80, 1.5

    Raises:
        RaremineError: if the kind is unknown or the value out of range
    """

    kind: str = "share"
    value: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RaremineError(
                f"Unknown threshold '{self.kind}'; choose one of "
                f"{', '.join(KINDS)}."
            )
        if self.value is None:
            object.__setattr__(self, "value", DEFAULTS[self.kind])
        value = self.number
        if self.kind == "share" and not 0 < value < 1:
            raise RaremineError(
                f"A share of outliers of {value} is not between 0 and 1; "
                "pass such as 0.2 for one object in five."
            )
        if self.kind == "percentile" and not 0 < value < 100:
            raise RaremineError(
                f"A percentile of {value} is not between 0 and 100; pass "
                "such as 80 to flag the highest fifth of the scores."
            )
        if self.kind == "iqr" and not 0 <= value < float("inf"):
            raise RaremineError(
                f"{value} interquartile ranges are no distance from the "
                "third quartile; pass a number >= 0 such as 1.5."
            )

    @property
    def number(self) -> float:
        """The value as a float."""
        return float(DEFAULTS[self.kind] if self.value is None else self.value)

    def limit(self, scores: np.ndarray) -> float:
        """Returns the score above which an object is flagged.

        A share or percentile lies between two scores (linear interpolation),
        so of n distinct scores a share s flags n - 1 - floor((n - 1)(1 - s)).

        Args:
            scores: (n,) float; NaN (unscored objects) does not count

        Returns:
            the limit, infinity if there is no score
        """
        known = scores[~np.isnan(scores)]
        if not len(known):
            return float("inf")
        if self.kind == "iqr":
            low, high = np.percentile(known, [25, 75])
            return float(high + self.number * (high - low))
        percent = self.number
        if self.kind == "share":
            percent = 100 * (1 - self.number)
        return float(np.percentile(known, percent))


def threshold_by_share(scores: np.ndarray, share: float) -> float:
    """Returns the score above which ``share`` of the objects lie.

    Args:
        scores: (n,) scores; NaN does not count
        share: between 0 and 1; .2 is scikit-learn's ``contamination=.2``

    Raises:
        RaremineError: if the share is not between 0 and 1
    """
    return ThresholdRule("share", share).limit(scores)


def threshold_rules(
    methods: Sequence[str],
    share: float,
    thresholds: Mapping[str, Sequence[object]] | None = None,
) -> dict[str, ThresholdRule]:
    """Returns the rule of each method.

    Args:
        methods: names of methods
        share: for each method that has no rule of its own
        thresholds (None): method → (kind, value) or (kind,)

    Raises:
        RaremineError: if a rule is malformed or its method is not scored
    """
    given = dict(thresholds or {})
    unused = sorted(set(given) - set(methods))
    if unused:
        raise RaremineError(
            f"A threshold is given for {', '.join(unused)}, which is not "
            f"scored; the methods are {', '.join(methods)}."
        )
    rules = {name: ThresholdRule("share", share) for name in methods}
    for name, rule in given.items():
        rules[name] = _parsed(name, rule)
    return rules


def _parsed(method: str, rule: Sequence[object]) -> ThresholdRule:
    parts = [rule] if isinstance(rule, str) else list(rule)
    kind, value = (*parts, None)[:2] if parts else ("", None)
    if len(parts) > 2 or isinstance(value, str | bool):
        raise RaremineError(
            f"The threshold {rule!r} of '{method}' is none; pass a kind and "
            'a number, such as ("iqr", 1.5).'
        )
    number = None if value is None else float(value)
    return ThresholdRule(str(kind), number)
