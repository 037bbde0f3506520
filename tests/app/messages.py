"""What a page complains about: errors of its console and failed requests."""

from __future__ import annotations

import re
from typing import Any

ALLOWED: dict[str, str] = {
    # the App's router, in index-*.js: it asks for the next page's code and
    # draws before that has come, then draws again
    "the App draws a page that it is still loading": (
        r"^exception: entry is loading$"
    ),
}
"""FiftyOne's own complaints, pattern by reason; nothing of ours is here."""


class Complaints:
    """Collects what goes wrong in a page while a test drives it.

    Args:
        page: Playwright's page
    """

    def __init__(self, page: Any) -> None:
        self._seen: list[str] = []
        page.on("pageerror", lambda error: self._add(f"exception: {error}"))
        page.on("console", self._console)
        page.on("response", self._response)

    def ours(self) -> list[str]:
        """The complaints that FiftyOne does not make by itself."""
        allowed = [re.compile(pattern) for pattern in ALLOWED.values()]
        return [
            text
            for text in dict.fromkeys(self._seen)
            if not any(pattern.search(text) for pattern in allowed)
        ]

    def expect(self, pattern: str) -> None:
        """Forgets complaints that a test provoked on purpose."""
        self._seen = [t for t in self._seen if not re.search(pattern, t)]

    def _add(self, text: str) -> None:
        self._seen.append(text[:2000])

    def _console(self, message: Any) -> None:
        # a failed request is told with its status below
        if message.type == "error" and "Failed to load" not in message.text:
            where = message.location.get("url", "")
            self._add(f"console: {message.text} ({where})")

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self._add(f"HTTP {response.status}: {response.url}")
