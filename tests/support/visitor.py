"""Somebody at a browser without scripts: follows links and fills forms of the pages, with their tokens."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.parks import PASSWORD

SITE = "https://localhost"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"|name="csrf-token" content="([^"]+)"')


class Visitor:
    """A browser's session with the pages."""

    def __init__(self, app: Flask, language: str = "zh") -> None:
        self.client = app.test_client()
        self.language = language
        self.token = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        """Open a page."""
        return self._read(self.client.get(path, base_url=SITE, headers=self._headers(), **options))

    def post(self, path: str, fields: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Send a form with the token of the page that was open."""
        data = {"csrf_token": self.token, **(fields or {})}
        return self._read(self.client.post(path, base_url=SITE, headers=self._headers(), data=data, **options))

    def follow(self, answer: TestResponse) -> TestResponse:
        """Go where an answer leads."""
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["Location"])

    def sign_in(self, login: str, password: str = PASSWORD) -> TestResponse:
        """Sign in."""
        self.get("/sign-in")
        return self.follow(self.post("/sign-in", {"login": login, "password": password}))

    def _headers(self) -> dict[str, str]:
        return {"Referer": f"{SITE}/", "Accept-Language": self.language}

    def _read(self, answer: TestResponse) -> TestResponse:
        if answer.mimetype == "text/html" and (found := _TOKEN.search(answer.text)):
            self.token = unescape(found[1] or found[2])
        return answer


def form_value(page: TestResponse, name: str) -> str:
    """Return the value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, f"no field {name}"
    return unescape(found[1])
