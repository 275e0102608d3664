"""The demo's joint facility: a testing centre of three parks, agreed, signed, registered, used, its first year closed and its
centre paid; and a second version to sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from billing.rules.joint_agreements import PartyRole, Share, Terms
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.usecases import joint_agreements, joint_centre_payments, joint_true_ups, joint_uses
from billing.usecases.joint_uses import NewUse
from marketplace.demo import world
from marketplace.demo.seeder import Seeder
from tenants.kernel.work import Work

PARTIES = (
    ("park01", PartyRole.LEAD, 4_000),
    ("park02", PartyRole.PARTICIPANT, 3_000),
    ("park03", PartyRole.PARTICIPANT, 3_000),
    ("park04", PartyRole.SUPERVISOR, 0),
)
HOUR = 60


def agree_on_centre(seeder: Seeder, parks: Mapping[str, UUID]) -> None:
    """Let the officer write an agreement, its parties sign it and the approver register it; the next year's waits for two."""
    officer = seeder.person("policy", world.PASSWORD)
    parties = [Share(parks[login], role, share) for login, role, share in PARTIES]
    year = local_day(seeder.clock.now(), DEFAULT_ZONE).year
    terms = replace(terms_of(year), valid_from=date(year - 1, 1, 1))
    made = found_centre(seeder, parks, PARTIES, terms)
    close_year(seeder, made, parks, year - 1)
    use_centre(seeder, made, parks)
    following = replace(
        terms,
        valid_from=date(year + 1, 1, 1),
        valid_to=date(year + 2, 1, 1),
        premium_bp=2_500,
        carry_over_minutes=150 * HOUR,
    )
    series = UUID(str(made["series"]))
    offered = seeder.step(
        "joint centre's next year", officer, partial(_write, terms=following, parties=parties, series_id=series)
    )
    for login, *_ in PARTIES[:2]:
        seeder.step(f"next year signed by {login}", seeder.person(login, world.PASSWORD), partial(_sign, made=offered))


def found_centre(
    seeder: Seeder, parks: Mapping[str, UUID], parties: Sequence[tuple[str, PartyRole, int]], terms: Terms
) -> Mapping[str, Any]:
    """Let the officer write an agreement, its parties sign it and the approver register it; return its ids."""
    officer, approver = (seeder.person(login, world.PASSWORD) for login in ("policy", "approver"))
    shares = [Share(parks[login], role, share) for login, role, share in parties]
    made = seeder.step("joint centre", officer, partial(_write, terms=terms, parties=shares))
    for login, *_ in parties:
        seeder.step(f"joint centre signed by {login}", seeder.person(login, world.PASSWORD), partial(_sign, made=made))
    seeder.step("joint centre registered", approver, partial(_register, made=made))
    return made


def close_year(seeder: Seeder, made: Mapping[str, Any], parks: Mapping[str, UUID], year: int) -> None:
    """Let a year's uses be recorded, two people close it, and finance pay the centre; unused hours go on into the next."""
    record_uses(seeder, made, parks, year)
    officer, approver, finance = (seeder.person(login, world.PASSWORD) for login in ("policy", "approver", "finance"))
    true_up = seeder.step("joint year proposed", officer, partial(_propose, made=made, year=year))
    seeder.step("joint year approved", approver, partial(_approve, true_up=true_up))
    seeder.step("joint centre paid", finance, partial(_pay, made=made, reference=f"豫财共建付〔{year}〕1号"))


def terms_of(year: int) -> Terms:
    """The contract's worked example, with some hours for the public and for maintenance."""
    return Terms(
        title="豫西材料检测中心",
        valid_from=date(year, 1, 1),
        valid_to=date(year + 1, 1, 1),
        capital_fen=100_000_000 * 100,
        life_years=10,
        year_minutes=5_000 * HOUR,
        reserve_minutes=250 * HOUR,
        maintenance_minutes=150 * HOUR,
        variable_fen_per_hour=600 * 100,
        premium_bp=2_000,
        outsider_premium_bp=5_000,
        lending_notice_days=14,
        overdraw_minutes=1_000 * HOUR,
        carry_over_minutes=100 * HOUR,
    )


def _write(work: Work, *, terms: Terms, parties: list[Share], series_id: UUID | None = None) -> dict[str, Any]:
    made = joint_agreements.write_agreement(work, terms=terms, parties=parties, series_id=series_id)
    return {"id": str(made.id), "series": str(made.series_id), "sha256": made.sha256}


def _sign(work: Work, *, made: Mapping[str, Any]) -> dict[str, Any]:
    signed = joint_agreements.sign_agreement(work, agreement_id=UUID(str(made["id"])), sha256=str(made["sha256"]))
    return {"id": str(signed.id)}


def _register(work: Work, *, made: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": str(joint_agreements.register_agreement(work, agreement_id=UUID(str(made["id"]))).id)}


USES = (
    # month, day, who (None: an outsider), hours, evidence
    (1, 8, "park01", 900, "预约 YX-0108，报告 JC-011"),
    (1, 20, "park02", 300, "预约 YX-0120，报告 JC-017"),
    (2, 3, "park01", 980, "预约 YX-0203，报告 JC-024"),
    (2, 12, "park03", 420, "预约 YX-0212，报告 JC-029"),
    (2, 20, None, 60, "合同 WB-003，报告 JC-033"),
)


def use_centre(seeder: Seeder, made: Mapping[str, Any], parks: Mapping[str, UUID]) -> None:
    """Let the lead record a year's uses, after a participant has released hours for any date."""
    lender = seeder.person("park03", world.PASSWORD)
    year = local_day(seeder.clock.now(), DEFAULT_ZONE).year
    seeder.step("joint hours released", lender, partial(_release, made=made, year=year))
    record_uses(seeder, made, parks, year)


def record_uses(seeder: Seeder, made: Mapping[str, Any], parks: Mapping[str, UUID], year: int) -> None:
    """Let the lead record what outsiders and those of ``parks`` used in a year."""
    lead = seeder.person("park01", world.PASSWORD)
    for month, day, login, hours, evidence in USES:
        if login is not None and login not in parks:
            continue
        use = NewUse(
            date(year, month, day),
            hours * HOUR,
            evidence,
            parks[login] if login else None,
            "" if login else "洛阳轴承研究所",
        )
        seeder.step(f"joint use {year}-{month}-{day}", lead, partial(_use, made=made, use=use))


def _use(work: Work, *, made: Mapping[str, Any], use: NewUse) -> dict[str, Any]:
    return {"id": str(joint_uses.record_use(work, agreement_id=UUID(str(made["id"])), use=use).id)}


def _release(work: Work, *, made: Mapping[str, Any], year: int) -> dict[str, Any]:
    agreement_id = UUID(str(made["id"]))
    joint_uses.release_hours(work, agreement_id=agreement_id, year=year, minutes=200 * HOUR)
    return {"id": str(agreement_id)}


def _propose(work: Work, *, made: Mapping[str, Any], year: int) -> dict[str, Any]:
    return {"id": str(joint_true_ups.propose_true_up(work, agreement_id=UUID(str(made["id"])), year=year).id)}


def _approve(work: Work, *, true_up: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": str(joint_true_ups.approve_true_up(work, true_up_id=UUID(str(true_up["id"]))).id)}


def _pay(work: Work, *, made: Mapping[str, Any], reference: str) -> dict[str, Any]:
    agreement_id, today = UUID(str(made["id"])), local_day(work.now, DEFAULT_ZONE)
    owed_fen = joint_centre_payments.read_centre(work, agreement_id=agreement_id).owed_fen
    joint_centre_payments.pay_centre(
        work, agreement_id=agreement_id, amount_fen=owed_fen, reference=reference, paid_on=today
    )
    return {"id": str(agreement_id)}
