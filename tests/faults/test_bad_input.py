"""Bad input is refused with words and fields by whoever asks first, and leaves no trace but the refused file itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from billing.usecases import funds
from marketplace.demo import world
from marketplace.demo.theatre import Play
from services.usecases import artefacts
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooLarge
from tenants.kernel.vocabulary import ParkSize
from tenants.usecases import onboarding
from tests.support import plays
from tests.support.plays import TWIN, YUAN, Wish, ask, money

FIRST = datetime(2025, 7, 7)  # noqa: DTZ001 - a meter's stamps carry no offset


def load(hours: int = 48) -> str:
    """An hourly load of two days, as a meter exports it."""
    rows = (f"{FIRST + timedelta(hours=hour):%Y-%m-%dT%H:%M},{100 + hour % 24}" for hour in range(hours))
    return "\n".join(["time,kw", *rows, ""])


@pytest.fixture
def park(play: Play) -> Iterator[Actor]:
    plays.give_money(play)
    yield play.person("park01")
    assert money(play)[1:] == (0, 0)
    assert plays.open_jobs(play) == 0


def upload(play: Play, park: Actor, content: bytes) -> UUID:
    return play.do(
        park, lambda work: artefacts.upload(work, name="load.csv", media_type="text/csv", content=content)
    ).id


def ask_on_file(play: Play, park: Actor, content: bytes) -> None:
    ask(play, park, Wish(TWIN, {"artefact_id": str(upload(play, park, content))}))


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (lambda text: text.replace("T05:00,105", "T05:00,many", 1), "[7].value"),
        (lambda text: text.replace("T05:00,105", "T05:00,-3", 1), "[7].value"),
        (lambda text: text.replace("2025-07-07T05:00", "yesterday", 1), "[7].time"),
        (lambda text: text.replace("2025-07-07T05:00", "2025-07-07T04:00", 1), "[7].time"),
        (lambda text: text.replace("T05:00,105", "T05:00,105,106", 1), "[7].row"),
        (lambda text: text.replace("2025-07-07T05:00,105\n", "", 1), "[2025-07-07T05:00+08:00]"),
        (lambda text: text.replace("time,kw", "a,b"), "[1].header"),
        (lambda text: text[: text.index("2025-07-08T12")], "[2025-07-08T12:00+08:00]"),
        (lambda text: text[: text.index("2025-07-08T12") + 7], "[38]"),
    ],
    ids=["word", "negative", "no time", "twice", "columns", "gap", "header", "truncated", "truncated amid a line"],
)  # fmt: skip
def test_a_load_file_that_is_wrong_names_the_row_before_anything_is_sold(
    play: Play, park: Actor, spoil: Callable[[str], str], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        ask_on_file(play, park, spoil(load()).encode())
    named = [error.field for error in refused.value.errors]
    assert all(each.startswith("lines[0].request") for each in named)
    assert any(field in each for each in named), named


def test_a_good_load_file_is_priced(play: Play, park: Actor) -> None:
    ask_on_file(play, park, load().encode())


@pytest.mark.parametrize("content", [b"\x00\xff\xfe binary", b"time,kw", "时间,功率\n".encode("gb18030")])
def test_what_is_no_load_file_is_refused(play: Play, park: Actor, content: bytes) -> None:
    with pytest.raises(Invalid):
        ask_on_file(play, park, content)


def test_a_huge_load_file_is_refused_without_reading_it_all_and_one_over_the_limit_is_not_kept(
    play: Play, park: Actor
) -> None:
    with pytest.raises(TooLarge) as refused:
        ask_on_file(play, park, load().encode() + (b" " * 190 + b"\n") * 90_000)
    assert refused.value.code == "load.too_large"
    before = plays.fingerprint(play)
    with pytest.raises(TooLarge):
        upload(play, park, bytes(artefacts.MOST_BYTES + 1))
    with pytest.raises(Invalid):
        upload(play, park, b"")
    assert plays.fingerprint(play) == before


def test_another_parks_file_is_not_found(play: Play, park: Actor) -> None:
    strange = upload(play, play.person("park02"), load().encode())
    with pytest.raises(Invalid) as refused:
        ask(play, park, Wish(TWIN, {"artefact_id": str(strange)}))
    assert [error.field for error in refused.value.errors] == ["lines[0].request.artefact_id"]
    with pytest.raises(NotFound):
        play.do(park, lambda work: artefacts.open_artefact(work, artefact_id=strange))


@pytest.mark.parametrize(
    ("wrong", "field"), [({"uscc": "91410000123456789X"}, "uscc"), ({"region_code": "999999"}, "region_code")]
)
def test_a_wrong_credit_code_or_region_signs_nobody_up(
    play: Play, park: Actor, wrong: dict[str, str], field: str
) -> None:
    told = {
        "name": "新园区",
        "uscc": "91410105MA9F6XQ01M",
        "region_code": "411224",
        "login": "newcomer",
        "password": "three quiet herons",
        "contact_name": "管理员",
    }
    before = plays.fingerprint(play)
    with pytest.raises(Invalid) as refused:
        play.do(
            system_actor("sign-up"),
            lambda work: onboarding.sign_up_park(work, **{**told, **wrong}, size=ParkSize.SMALL),
        )
    assert field in [error.field for error in refused.value.errors]
    assert plays.fingerprint(play) == before


def test_nobody_approves_the_own_policy_or_money_even_with_both_permissions(play: Play) -> None:
    fund = play.do(
        play.officer,
        lambda work: funds.open_fund(work, slug=world.FUND_SLUG, name="专项资金", name_en="Fund", year=2026),
    )
    written = play.write_policy(world.policy())
    asked = play.do(
        play.officer,
        lambda work: funds.request_appropriation(
            work, fund_id=fund.id, amount_fen=100 * YUAN, document_no="园科资〔2026〕9 号"
        ),
    )
    both = replace(play.officer, permissions=play.officer.permissions | play.approver.permissions)

    def approve_money(actor: Actor) -> None:
        play.do(actor, lambda work: funds.approve_appropriation(work, appropriation_id=asked.id))

    before = plays.fingerprint(play)
    for approve in (partial(play.approve_policy, written), approve_money):
        with pytest.raises(NotAllowed):
            approve(play.officer)
        with pytest.raises(Conflict):
            approve(both)
    assert plays.fingerprint(play) == before
