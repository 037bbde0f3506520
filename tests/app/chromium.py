"""A headless Chromium, and pages of the App in it."""

from __future__ import annotations

import re
from typing import Any

SIZE = (1500, 900)
_ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
)


class FormsInWork:
    """Counts a page's questions to the server what a form looks like now.

    Args:
        page: Playwright's page
    """

    def __init__(self, page: Any) -> None:
        self.asked = 0
        self.answered = 0
        page.on("request", lambda request: self._count(request, "asked"))
        for event in ("requestfinished", "requestfailed"):
            page.on(event, lambda request: self._count(request, "answered"))

    def _count(self, request: Any, name: str) -> None:
        if "/operators/resolve-type" in request.url:
            setattr(self, name, getattr(self, name) + 1)


def launch(playwright: Any, path: str) -> Any:
    """Starts a browser.

    Args:
        playwright: Playwright's own object
        path: of the browser's program
    """
    playwright.selectors.set_test_id_attribute("data-cy")
    return playwright.chromium.launch(
        executable_path=path, headless=True, args=list(_ARGUMENTS)
    )


def fresh_page(browser: Any, app: str, size: tuple[int, int] = SIZE) -> Any:
    """Makes an empty page that knows nothing of earlier ones.

    Args:
        browser: Playwright's browser
        app: address of the App's server
        size (SIZE): width and height, px
    """
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height})
    # switches off analytics and what would lie over the panels
    context.add_init_script(
        "window.IS_PLAYWRIGHT = true;"
        "localStorage.setItem('fo-3d-annotation-tips-dismissed', 'true');"
    )
    # fonts of another host, which the App can do without
    context.route(
        re.compile(r"^https?://(?!127\.0\.0\.1)"),
        lambda route: route.fulfill(status=200, content_type="text/css"),
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.forms = FormsInWork(page)
    # the view lives in the server, not in the browser
    page.request.post(
        f"{app}/graphql",
        data={
            "query": 'mutation{setView(subscription:"test",session:null,'
            'datasetName:"",form:{})}'
        },
    )
    return page
