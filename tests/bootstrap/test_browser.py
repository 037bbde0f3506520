"""Chromium for the tests of the App: found, installed, or said to miss."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from bootstrap import browser
from bootstrap.browser import find_browser, install_browser, main


def _which(*there: str) -> Any:
    return lambda name: f"/usr/bin/{name}" if name in there else None


def test_the_first_that_is_there_is_driven() -> None:
    both = _which("google-chrome", "chromium")
    assert find_browser({}, both) == "/usr/bin/chromium"
    assert find_browser({}, _which("google-chrome")) == (
        "/usr/bin/google-chrome"
    )
    assert find_browser({}, _which()) is None


def test_the_users_own_browser_is_the_only_one_taken() -> None:
    environ = {"RAREMINE_BROWSER": "brave"}
    assert find_browser(environ, _which("brave", "chromium")) == (
        "/usr/bin/brave"
    )
    assert find_browser(environ, _which("chromium")) is None


class Apt:
    """Stands in for apt-get; the first installations may fail."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.calls: list[list[str]] = []
        self.installed = False

    def run(self, call: list[str], **_: Any) -> Any:
        self.calls.append(call)
        status = 0
        if "install" in call:
            status = 100 if self.failures else 0
            self.failures -= 1
            self.installed = status == 0
        return subprocess.CompletedProcess(call, status)

    def find(self) -> str | None:
        return "/usr/bin/chromium" if self.installed else None

    def install(self) -> bool:
        return install_browser(self.run)


def test_ci_installs_it_and_tries_again() -> None:
    apt = Apt(failures=1)
    assert main(apt.find, lambda: True, apt.install, print) == 0
    assert apt.installed
    assert [c[-1] if "update" in c else "install" for c in apt.calls] == [
        *("update", "install"),
        *("update", "install"),
    ]
    assert all(c[0] == "apt-get" for c in apt.calls)


def test_what_did_not_install_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    apt = Apt(failures=9)
    assert main(apt.find, lambda: True, apt.install, print) == 1
    assert "could not be installed" in capsys.readouterr().out


def test_a_users_machine_is_left_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser.os, "geteuid", lambda: 1000)
    apt = Apt()
    assert main(apt.find, browser.can_install, apt.install, print) == 0
    assert apt.calls == []
    said = capsys.readouterr().out
    assert "skipped" in said and "apt-get install chromium" in said


def test_what_is_there_is_not_installed_again() -> None:
    apt = Apt()
    apt.installed = True
    assert main(apt.find, lambda: True, apt.install, print) == 0
    assert apt.calls == []
