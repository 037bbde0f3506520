"""Builds HTML out of values that are escaped unless they are markup.

Captions, class names and paths come from models and files: they are data.
The only way to put markup on a page is ``element`` (or ``Html``), so that no
text can turn into a tag, an attribute or a script by being forgotten.
"""

from __future__ import annotations

import html as _html
import unicodedata
from collections.abc import Iterable
from typing import Any

_KEPT_CONTROLS = {"\n", "\t"}
# bidirectional marks, embeddings, overrides and isolates (Unicode UAX #9)
_TURNS = {
    *"\u061c\u200e\u200f",
    *(chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))),
}


class Html(str):
    """Text that is markup already and is put on the page as it is."""

    __slots__ = ()


def text(value: object) -> Html:
    """Escapes a value for use between tags or in a quoted attribute.

    Control characters are shown as a replacement sign, and so are those that
    turn the writing direction: they could make a text read as another.
    """
    shown = "".join(
        "\N{REPLACEMENT CHARACTER}" if _is_control(c) else c
        for c in str(value)
    )
    return Html(_html.escape(shown, quote=True))


def element(name: str, /, *children: Any, **attributes: Any) -> Html:
    """Makes an element.

    Args:
        name: tag name
        *children: ``Html`` is put in as it is, lists are flattened, None is
            left out, anything else is escaped
        **attributes: escaped values; None leaves an attribute out. A final
            underscore is dropped (``class_``), others become hyphens
    """
    head = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in ("img", "meta", "br"):
        return Html(f"<{name}{head}>")
    return Html(f"<{name}{head}>{join(*children)}</{name}>")


def join(*children: Any) -> Html:
    """Puts children one behind the other, escaping all but ``Html``."""
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            parts.append(child)
        elif isinstance(child, str) or not isinstance(child, Iterable):
            parts.append(text(child))
        else:
            parts.append(join(*child))
    return Html("".join(parts))


def count(number: float) -> str:
    """Writes a whole number with thousands separators."""
    return f"{int(number):,}"


def percent(share: float, digits: int = 0) -> str:
    """Writes a share as per cent, a dash where it is unknown."""
    return "–" if share != share else f"{share:.{digits}%}"


def seconds(value: float) -> str:
    """Writes a duration: "0.4 s", "38 s", "4 min 12 s"."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 100:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 100:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def _is_control(character: str) -> bool:
    if character in _TURNS:
        return True
    return (
        unicodedata.category(character) in ("Cc", "Cs")
        and character not in _KEPT_CONTROLS
    )
