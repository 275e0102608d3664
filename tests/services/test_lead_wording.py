"""Pitches in a language model's words, against a real endpoint: good ones stand, all others leave the template's words."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from typing import Any
from uuid import UUID

import docx
import pytest
from pptx import Presentation

from marketplace.composition import build
from marketplace.settings import Settings, SettingsError
from services.gateways.language_model import LanguageModel, LanguageModelError, endpoint_fault
from services.gateways.lead_pitches import may_stand, question
from services.gateways.leads import LeadsResult
from services.gateways.leads_documents import render_documents
from services.gateways.sandbox import Limits
from services.rules.company_imports import ImportKind
from services.rules.demo_companies import demo_uscc
from services.usecases import artefacts, company_imports, deliveries, execution, runs
from services.usecases.invariants import INVARIANTS
from services.usecases.invariants_leads import LEADS
from services.usecases.lead_wording import PitchWriter, PitchWriting
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.services.test_lead_allocation import REQUEST
from tests.services.test_lead_files import BRIEF, NO_POSITIONING, RANKING, TODAY
from tests.support import chat
from tests.support.invariants import broken
from tests.support.services import build_world, import_demo_companies, order, park_person

KEY = "sk-test-9f8e7d6c5b4a"
LIMITS = Limits(wall_seconds=120)
BAD = (chat.inventing, chat.dripping, chat.dripping_headers, chat.silent, chat.garbage, chat.nonsense, chat.nested,
       chat.huge, chat.broken)  # fmt: skip


def model_at(url: str, seconds: float = 10.0) -> LanguageModel:
    return LanguageModel(url, "test-model", KEY, seconds)


@pytest.mark.parametrize("say", BAD[1:])
def test_an_endpoint_that_fails_does_so_in_time_and_tells_no_secret(say: chat.Say) -> None:
    with chat.chat(say) as endpoint:
        begun = time.monotonic()
        with pytest.raises(LanguageModelError) as refused:
            model_at(endpoint.url).complete("s", "u", seconds=2)
        assert time.monotonic() - begun < 2 + 3
    assert KEY not in str(refused.value)
    assert KEY not in repr(model_at(endpoint.url))


def test_a_good_answer_is_asked_for_once_with_the_key() -> None:
    def say(body: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
        chat.answer(handler, f"{body['model']} 你好")

    with chat.chat(say) as endpoint:
        for url in (endpoint.url, endpoint.url + "/", endpoint.url + "/chat/completions"):
            assert model_at(url).complete("s", "u", seconds=5) == "test-model 你好"
        assert endpoint.paths == ["/v1/chat/completions"] * 3
        assert endpoint.headers[0]["Authorization"] == f"Bearer {KEY}"
        assert endpoint.asked[0]["stream"] is False


def test_no_redirect_is_followed() -> None:
    with chat.chat(chat.good) as elsewhere:

        def say(_: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
            chat.send(handler, b"", status=307, Location=elsewhere.url + "/chat/completions")

        with chat.chat(say) as endpoint, pytest.raises(LanguageModelError, match="307"):
            model_at(endpoint.url).complete("s", "u", seconds=5)
        assert elsewhere.asked == []


def test_nobody_there_is_no_answer() -> None:
    with chat.chat(chat.good) as endpoint:
        url = endpoint.url
    with pytest.raises(LanguageModelError):
        model_at(url).complete("s", "u", seconds=1)


def test_a_line_that_is_not_encrypted_is_no_https() -> None:
    with chat.chat(chat.good) as endpoint, pytest.raises(LanguageModelError):
        model_at(endpoint.url.replace("http://", "https://")).complete("s", "u", seconds=2)


@pytest.mark.parametrize(
    "url",
    ["", "ftp://x/v1", "http://model.example/v1", "http://10.0.0.1/v1", "https://user:secret@x/v1", "https://x/v1?key=1",
     "https://x/v1#a", "https://x:99999/v1", "https:///v1", "http://127.0.0.1.example/v1", "file:///etc/passwd"],
)  # fmt: skip
def test_only_safe_addresses_are_asked(url: str) -> None:
    assert endpoint_fault(url)
    with pytest.raises(LanguageModelError):
        LanguageModel(url, "m").complete("s", "u", seconds=1)


GIVEN = {"DATABASE_URL": "postgresql://x/y", "MARKETPLACE_MODE": "demo"}


def test_it_is_off_until_an_operator_switches_it_on() -> None:
    off = Settings.from_environment(GIVEN)
    assert off.pitch_model_url == ""
    with build(off) as market:
        assert market.pitch_writing is None
    on = Settings.from_environment(
        GIVEN | {"PITCH_MODEL_URL": "https://model.example/v1", "PITCH_MODEL_NAME": "m", "PITCH_MODEL_KEY": KEY}
    )
    assert KEY not in repr(on)
    with build(on) as market:
        assert market.pitch_writing is not None
        assert market.pitch_writing.model.key == KEY
        assert market.pitch_writing.seconds == 60
        assert KEY not in repr(market)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"PITCH_MODEL_URL": "http://model.example/v1", "PITCH_MODEL_NAME": "m"}, "PITCH_MODEL_URL"),
        ({"PITCH_MODEL_URL": "https://model.example/v1"}, "PITCH_MODEL_NAME"),
        ({"PITCH_MODEL_URL": "https://m/v1", "PITCH_MODEL_NAME": "m", "PITCH_MODEL_KEY": "a\nb"}, "PITCH_MODEL_KEY"),
        ({"PITCH_MODEL_SECONDS": "0"}, "PITCH_MODEL_SECONDS"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_its_name(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Settings.from_environment(GIVEN | wrong)


LEAD = {
    "name": "宏达电池有限公司",
    "pitch": {"sentences": [{"text": "宏达电池有限公司登记于浙江省杭州市，注册资本 1200.5 万元。", "evidence": ["E1"]},
                            {"text": "联系人张三，手机 13800138000，邮箱 a@b.cn。", "evidence": ["E2"]}]},
}  # fmt: skip


def test_nothing_that_looks_like_a_persons_is_sent() -> None:
    asked = question(LEAD)
    assert "1200.5" in asked
    for secret in ("13800138000", "a@b.cn"):
        assert secret not in asked


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("贵公司立足浙江省杭州市，注册资本 1200.5 万元，诚邀莅临园区考察", True),
        ("贵公司立足浙江省杭州市，\n\n注册资本一千二百万零五千元，诚邀莅临园区考察。", True),
        ("贵公司立足浙江省杭州市，注册资本 1300.5 万元，诚邀莅临园区考察。", False),
        ("贵公司立足浙江省杭州市〔E9〕，注册资本 1200.5 万元，诚邀莅临园区。", False),
        ("贵公司<b>立足</b>浙江省杭州市，注册资本 1200.5 万元，诚邀莅临园区。", False),
        ("好的。", False),
        ("", False),
    ],
)
def test_an_answer_stands_as_one_paragraph_or_not_at_all(text: str, stands: bool) -> None:
    told = may_stand(text, LEAD, frozenset())
    assert (told is not None) is stands
    assert told is None or (told.endswith("。") and "\n" not in told)


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> Iterator[None]:
    build_world(workshop)
    import_demo_companies(workshop, clock.now().date())
    yield
    assert broken(workshop, (*INVARIANTS, *LEADS)) == {}


def delivered(
    workshop: WorkShop, writing: PitchWriting | None, stopping: Callable[[], bool] = lambda: False
) -> tuple[runs.RunView, dict[str, bytes]]:
    """Order a list, carry it out with a model, and return the run and its files."""
    park_id = new_id()
    run_id = order(workshop, park_id, "leads", REQUEST).run_id
    assert run_id is not None
    worker = system_actor("worker", tenant_id=park_id)
    execution.execute_run(workshop, worker, run_id=run_id, limits=LIMITS, writing=writing, stopping=stopping)
    return _files(workshop, park_id, run_id)


def _files(workshop: WorkShop, park_id: UUID, run_id: UUID) -> tuple[runs.RunView, dict[str, bytes]]:
    with workshop.work(park_person(park_id)) as work:
        found = artefacts.list_artefacts(work, source_id=run_id)
        files = {each.name: artefacts.open_artefact(work, artefact_id=each.id).content for each in found}
        return runs.read_run(work, run_id=run_id), files


def writers(files: Mapping[str, bytes]) -> list[str]:
    return [lead["pitch"]["by"] for lead in json.loads(files["report.json"])["leads"]]


def words(files: Mapping[str, bytes]) -> str:
    """Return the texts of letters and slides."""
    slides = Presentation(io.BytesIO(files["deck.pptx"])).slides
    frames = (shape.text_frame.text for slide in slides for shape in slide.shapes if shape.has_text_frame)
    letters = docx.Document(io.BytesIO(files["letters.docx"]))
    return "\n".join([*frames, *(paragraph.text for paragraph in letters.paragraphs)])


def test_good_answers_stand_and_every_file_says_who_wrote_them(
    workshop: WorkShop, world: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), chat.chat(chat.good) as endpoint:
        run, files = delivered(workshop, PitchWriting(model_at(endpoint.url), 60))
    assert run.status == "succeeded"
    assert writers(files) == ["language_model"] * 50
    assert run.kpis is not None
    assert run.kpis["model_pitches"] == 50
    manifest = json.loads(files["manifest.json"])
    assert manifest["pitches"] == {"model": "test-model", "ranks": list(range(1, 51))}
    assert run.manifest_sha256 == hashlib.sha256(files["manifest.json"]).hexdigest()
    assert manifest["outputs"] == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != "manifest.json"
    }
    told = words(files)
    assert told.count("本段推介语由语言模型改写") == 50 + 6
    assert "推介语中有 50 段由语言模型（test-model）改写" in told
    assert told.count("期待进一步合作〔E") == 50 + 6, "a model's words cite their facts, too"
    sent = json.dumps(endpoint.asked, ensure_ascii=False)
    for ours in ("得分", "百分位", "预算", "探索名额"):
        assert ours not in sent
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "50 pitches reworded, 0 refused" in logged
    assert KEY not in logged
    assert "期待" not in logged


@pytest.fixture(scope="module")
def made() -> LeadsResult:
    """A list as an engine makes it."""
    files = render_documents(BRIEF, RANKING, TODAY, None, NO_POSITIONING)
    return LeadsResult({}, {"manifest.json": b'{"outputs": {}}', **files}, RANKING.leads)


def reworded(made: LeadsResult, url: str, call_seconds: float, seconds: float) -> LeadsResult:
    writer = PitchWriter(PitchWriting(model_at(url, call_seconds), seconds))
    return writer.reword(made, limits=LIMITS, cancelled=lambda: False)


@pytest.mark.parametrize("say", BAD)
def test_a_bad_endpoint_leaves_the_list_as_it_is_within_the_budget(made: LeadsResult, say: chat.Say) -> None:
    with chat.chat(say) as endpoint:
        begun = time.monotonic()
        assert reworded(made, endpoint.url, 2, 5) is made
        assert time.monotonic() - begun < 5 + 3
        assert endpoint.asked


def test_the_budget_is_of_the_whole_run_however_often_its_list_is_made(made: LeadsResult) -> None:
    with chat.chat(chat.silent) as endpoint:
        writer = PitchWriter(PitchWriting(model_at(endpoint.url, 10), 3))
        begun = time.monotonic()
        for _ in range(5):
            assert writer.reword(made, limits=LIMITS, cancelled=lambda: False) is made
        assert time.monotonic() - begun < 3 + 3
        assert len(endpoint.asked) == 1


def test_some_pitches_may_stand_while_others_do_not(made: LeadsResult) -> None:
    count = 0

    def say(body: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
        nonlocal count
        count += 1
        (chat.good, chat.inventing, chat.broken)[count % 3](body, handler)

    with chat.chat(say) as endpoint:
        result = reworded(made, endpoint.url, 10, 60)
    by = writers(result.files)
    assert by.count("language_model") == result.kpis["model_pitches"]
    assert by.count("language_model") in (16, 17)
    assert by.count("template") == 50 - by.count("language_model")
    assert "98765" not in words(result.files)


def test_a_bad_endpoint_never_fails_a_run(workshop: WorkShop, world: None) -> None:
    with chat.chat(chat.dripping) as endpoint:
        run, files = delivered(workshop, PitchWriting(model_at(endpoint.url, 5), 10))
        assert endpoint.asked
    assert run.status == "succeeded"
    assert set(writers(files)) == {"template"}
    assert "pitches" not in json.loads(files["manifest.json"])
    assert "语言模型" not in words(files)


def test_a_run_whose_worker_is_told_to_go_is_finished_at_once(workshop: WorkShop, world: None) -> None:
    with chat.chat(chat.silent) as endpoint:
        begun = time.monotonic()
        run, files = delivered(
            workshop, PitchWriting(model_at(endpoint.url, 300), 300), stopping=lambda: bool(endpoint.asked)
        )
        assert time.monotonic() - begun < 60
    assert run.status == "succeeded"
    assert set(writers(files)) == {"template"}


def test_a_run_that_is_cancelled_while_it_is_worded_delivers_nothing(workshop: WorkShop, world: None) -> None:
    park_id = new_id()
    run_id = order(workshop, park_id, "leads", REQUEST).run_id
    assert run_id is not None

    def say(_: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
        with workshop.work(park_person(park_id)) as work:
            deliveries.cancel_delivery(work, run_id=run_id)
        chat.silent(_, handler)

    worker = system_actor("worker", tenant_id=park_id)
    with chat.chat(say) as endpoint:
        writing = PitchWriting(model_at(endpoint.url, 300), 300)
        execution.execute_run(workshop, worker, run_id=run_id, limits=LIMITS, writing=writing)
        assert len(endpoint.asked) == 1
    run, files = _files(workshop, park_id, run_id)
    assert (run.status, files) == ("cancelled", {})


def test_a_fault_in_making_the_files_again_leaves_the_template(made: LeadsResult) -> None:
    spoiled = replace(made, files={**made.files, "manifest.json": b"no manifest"})
    with chat.chat(chat.good) as endpoint:
        assert reworded(spoiled, endpoint.url, 10, 60) is spoiled


def test_a_company_of_the_registry_that_is_not_on_the_list_is_not_named(
    workshop: WorkShop, world: None, clock: ManualClock
) -> None:
    """A bare name of three characters, where no sentence names anybody: only the registry tells that it is one."""
    content = (
        "企业名称,统一社会信用代码,行政区划代码,经营状态\n"
        f"浙江云上峰谷软件有限公司,{demo_uscc('330100', 999_001)},330100,注销\n"
    ).encode()
    with workshop.work(system_actor("test")) as work:
        company_imports.import_at_once(
            work, kind=ImportKind.COMPANIES, name="一家", licence="自有", as_of=clock.now().date(), content=content
        )
    count = 0

    def say(body: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
        nonlocal count
        count += 1
        own = "".join(chat.sentences(body))
        chat.answer(handler, own + ("云上峰谷亦看好此地。" if count % 2 else "期待进一步合作。"))

    with chat.chat(say) as endpoint:
        run, files = delivered(workshop, PitchWriting(model_at(endpoint.url), 60))
    assert run.status == "succeeded"
    assert writers(files).count("language_model") == 25
    assert "云上峰谷" not in words(files)
