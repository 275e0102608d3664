"""The frame around every request: ids, languages, problems, limits, headers, figures, health."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO

import pytest
from flask import Flask
from sqlalchemy import create_engine

from marketplace.doors import logs
from marketplace.doors.problems import problem_document
from marketplace.doors.texts import translate
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tests.support.web import AppMaker

ANSWERS = ("/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/nowhere")


def test_every_answer_carries_its_request_id_and_keeps_browsers_strict(app: Flask) -> None:
    client = app.test_client()
    for path in ANSWERS:
        answer = client.get(path, headers={"X-Request-Id": "a-sane-id-0001"})
        assert answer.headers["X-Request-Id"] == "a-sane-id-0001"
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("given", ["short", "with space and more", "x" * 65, "inj\tected-id-1"])
def test_a_request_id_that_is_not_sane_is_replaced(app: Flask, given: str) -> None:
    answer = app.test_client().get("/healthz", headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] != given
    assert len(answer.headers["X-Request-Id"]) == 32


def test_an_unknown_path_is_a_problem_document(app: Flask) -> None:
    answer = app.test_client().get("/api/v1/nowhere")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    document = answer.get_json()
    assert document["code"] == "path.not_found"
    assert document["status"] == 404
    assert document["request_id"] == answer.headers["X-Request-Id"]


def test_a_wrong_method_names_the_right_ones(app: Flask) -> None:
    answer = app.test_client().delete("/healthz")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert answer.mimetype == "application/problem+json"


def test_a_fault_of_the_program_shows_its_number_and_nothing_of_its_inside(make_app: AppMaker) -> None:
    def add(app: Flask) -> None:
        @app.get("/api/broken")
        def broken() -> str:
            raise RuntimeError("password=hunter2")

    answer = make_app(prepare=add).test_client().get("/api/broken")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert answer.headers["X-Request-Id"] in answer.get_json()["detail"]


def test_a_database_that_is_away_is_unavailable_and_says_when_to_try_again(make_app: AppMaker) -> None:
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none", connect_args={"connect_timeout": 2})
    client = make_app(engine=away).test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    answer = client.get("/api/v1/me", headers={"Authorization": "Bearer pk_x_y"})
    assert (answer.status_code, answer.get_json()["code"]) == (503, "database.unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get("/metrics").status_code == 200


def test_a_migrated_database_is_ready(app: Flask) -> None:
    assert app.test_client().get("/readyz").get_json() == {"status": "ready"}


def test_two_gigabytes_are_refused_before_they_are_read(app: Flask) -> None:
    answer = app.test_client().post(
        "/api/v1/artefacts",
        content_type="application/octet-stream",
        environ_overrides={"CONTENT_LENGTH": str(2 << 30)},
    )
    assert (answer.status_code, answer.get_json()["code"]) == (413, "request.too_large")
    assert "MiB" in answer.get_json()["detail"]


def test_a_large_document_is_refused_where_no_file_is_wanted(app: Flask) -> None:
    answer = app.test_client().post(
        "/api/v1/parks", data=b"[" + b" " * (5 << 20) + b"]", content_type="application/json"
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/api/v1/parks", "/readyz"])
def test_a_body_of_unknown_length_is_stopped_at_the_limit_and_never_cut_off(app: Flask, path: str) -> None:
    answer = app.test_client().open(
        path,
        method="POST" if "api" in path else "GET",
        input_stream=BytesIO(b"[" + b" " * (5 << 20) + b"]"),
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert answer.status_code == (413 if "api" in path else 200)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "request.not_json"),
        (b"[" * 100_000, "request.not_json"),
        (b'{"name": NaN}', "request.not_json"),
        (b'{"name": "\\ud800"}', "request.not_json"),
        (b"\xff\xfe", "request.not_json"),
        (b'{"name": "a\\u0000b"}', "request.nul"),
        (b'{"name": ' + b"9" * 5000 + b"}", "request.not_json"),
        (b"null", "request.invalid"),
        (b'"text"', "request.invalid"),
        (b"[]", "request.invalid"),
        (b'{"surprise": 1}', "request.invalid"),
    ],
)
def test_bad_documents_are_refused_with_words(app: Flask, body: bytes, code: str) -> None:
    answer = app.test_client().post("/api/v1/parks", data=body, content_type="application/json")
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_a_nul_in_an_address_is_no_fault(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/api/v1/orders/%00").status_code == 404
    assert client.get("/api/v1/orders?cursor=%00").status_code == 422


def test_the_figures_count_requests_by_route_and_not_by_address(app: Flask) -> None:
    client = app.test_client()
    client.get("/api/v1/orders/018f0000-0000-7000-8000-000000000001")
    text = client.get("/metrics").text
    assert 'route="/api/v1/orders/<id>"' in text
    assert "018f0000" not in text
    assert "marketplace_jobs" in text


def test_a_request_leaves_one_line_with_ids_and_without_secrets(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    app.test_client().get("/api/v1/me?lang=en", headers={"Authorization": "Bearer pk_secret_token"})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line["event"] == "request"]
    assert line["method"] == "GET"
    assert line["path"] == "/api/v1/me"
    assert line["status"] == 401
    assert line["request_id"]
    assert "duration_ms" in line
    assert "secret" not in json.dumps(lines)


def test_the_log_of_a_fault_shows_where_it_was_and_no_values(
    make_app: AppMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    def add(app: Flask) -> None:
        @app.get("/api/broken")
        def broken() -> str:
            password = "hunter2"
            raise RuntimeError(f"{len(password)} characters are too few")

    app = make_app(prepare=add)
    logs.configure("json")
    app.test_client().get("/api/broken")
    (fault,) = [line for line in capsys.readouterr().err.splitlines() if '"unexpected fault"' in line]
    assert "broken" in fault
    assert "hunter2" not in fault


def test_a_problem_names_its_fields_in_the_readers_language() -> None:
    problem = Invalid(
        "order.bad",
        msg("输入有误。"),
        errors=[FieldError("lines[0].quantity", "field.range", msg("须为 {most}", most=3))],
    )
    document = problem_document(problem, "zh")
    assert document["errors"] == [{"field": "lines[0].quantity", "code": "field.range", "detail": "须为 3"}]
    assert document["status"] == 422


def test_a_text_without_a_translation_stays_chinese() -> None:
    message = msg("没有任何译文的句子 {name}。", name=msg("里面也有一句"))
    assert translate(message, "en") == "没有任何译文的句子 里面也有一句。"


@pytest.mark.parametrize(
    ("query", "cookie", "header", "wanted"),
    [
        ("", None, None, "zh"),
        ("", None, "en-GB,en;q=0.9", "en"),
        ("", "zh", "en", "zh"),
        ("?lang=en", "zh", "zh", "en"),
        ("?lang=xx", None, "fr", "zh"),
    ],
)
def test_the_language_is_the_readers_choice(
    app: Flask, query: str, cookie: str | None, header: str | None, wanted: str
) -> None:
    from marketplace.doors.language import reader_language

    headers = {"Accept-Language": header} if header else {}
    if cookie:
        headers["Cookie"] = f"lang={cookie}"
    with app.test_request_context(f"/{query}", headers=headers):
        assert reader_language() == wanted


def test_settings_of_an_installation_limit_its_uploads(make_app: AppMaker) -> None:
    app = make_app(change=lambda settings: replace(settings, max_upload_mib=1))
    answer = app.test_client().post("/api/v1/artefacts", data=b"x" * (3 << 20), content_type="application/octet-stream")
    assert answer.status_code == 413
