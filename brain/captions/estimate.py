"""What captioning will take, told from the first crops, and what it took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raremine.brain.errors import RaremineError
from raremine.brain.models.protocols import Answer

Price = float | Sequence[float] | None
"""Per million tokens: one number, or prompt and answer apart. The user's."""


class Usage:
    """Counts crops, seconds and tokens, and multiplies them up.

    Args:
        price (None): price of a million tokens, in the user's currency; two
            numbers = of the prompt's and of the answer's

    Raises:
        RaremineError: if it is no price
    """

    def __init__(self, price: Price = None) -> None:
        self._prices = _prices(price)
        self.crops = 0
        self.seconds = 0.0
        self._counted = 0
        self._tokens = [0, 0]

    def add(self, answers: Sequence[Answer], seconds: float) -> None:
        """Counts the answers of one batch and the seconds it took."""
        self.crops += len(answers)
        self.seconds += seconds
        for answer in answers:
            if answer.tokens is not None:
                self._counted += 1
                self._tokens[0] += answer.tokens[0]
                self._tokens[1] += answer.tokens[1]

    def estimate(self, crops: int) -> dict[str, Any]:
        """Returns what a number of crops will take, in all.

        Args:
            crops: how many

        Returns:
            dict with ``crops``, ``crops_per_second``, ``seconds`` and, if
            the captioner counts tokens, ``prompt_tokens``,
            ``answer_tokens``, and ``cost`` if there is a price
        """
        rate = self.crops / self.seconds if self.seconds else None
        told: dict[str, Any] = {
            "crops": crops,
            "crops_per_second": round(rate, 3) if rate else None,
            "seconds": round(crops / rate, 3) if rate else None,
        }
        if self._counted:
            share = crops / self._counted
            told |= self._bill(*(n * share for n in self._tokens))
        return told

    def total(self) -> dict[str, Any]:
        """Returns tokens and cost so far; empty if none were counted."""
        return self._bill(*self._tokens) if self._counted else {}

    def _bill(self, prompt: float, answer: float) -> dict[str, Any]:
        bill: dict[str, Any] = {
            "prompt_tokens": round(prompt),
            "answer_tokens": round(answer),
        }
        if self._prices:
            cost = prompt * self._prices[0] + answer * self._prices[1]
            bill["cost"] = round(cost / 1e6, 6)
        return bill


def in_words(estimate: dict[str, Any]) -> str:
    """Returns an estimate as a sentence."""
    parts = [f"{estimate['crops']:,} crops"]
    if estimate["seconds"] is not None:
        took = estimate["seconds"]
        about = f"{took / 60:.1f} min" if took >= 60 else f"{took:.2g} s"
        parts.append(
            f"about {about} at {estimate['crops_per_second']:.3g} crops/s"
        )
    if "prompt_tokens" in estimate:
        parts.append(
            f"{estimate['prompt_tokens']:,} prompt and "
            f"{estimate['answer_tokens']:,} answer tokens"
        )
    if "cost" in estimate:
        parts.append(f"cost {estimate['cost']:,.4g} at your price")
    return ", ".join(parts)


def _prices(price: Price) -> tuple[float, float] | None:
    if price is None:
        return None
    given = [price] if isinstance(price, (int, float, str)) else [*price]
    try:
        numbers = [float(p) for p in given]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) == 1:
        numbers *= 2
    if len(numbers) != 2 or not all(0 <= n < float("inf") for n in numbers):
        raise RaremineError(
            f"price_per_million_tokens={price!r} is no price: pass one "
            "number, or two (prompt, answer)."
        )
    return numbers[0], numbers[1]
