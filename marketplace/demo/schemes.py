"""What the demo's second fund gives: awards after the delivery, money kept for regions, case-by-case decisions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from billing.rules.entitlements import State
from billing.usecases import entitlement_claims, entitlements, exemptions, funds, programmes
from billing.usecases.evidence import Upload
from billing.usecases.funds import Share
from marketplace.demo import world
from marketplace.demo.seeder import Seeder
from marketplace.usecases import later_awards
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.work import Work

ENVELOPES = (Share("central", 3000), Share("411300", 1000))
"""Of the second fund: for parks of central provinces, and of Nanyang (two of the demo's)."""


def open_matching_fund(seeder: Seeder, year: int) -> None:
    """Open the second fund: asked for by the officer with shares for regions, approved by another."""
    officer, approver = (seeder.person(login, world.PASSWORD) for login in ("policy", "approver"))

    def ask(work: Work) -> dict[str, Any]:
        fund = funds.open_fund(
            work,
            slug=world.MATCHING_SLUG,
            name=f"{year} 年后补助配套资金",
            name_en=f"Matching fund for later grants {year}",
            year=year,
        )
        asked = funds.request_appropriation(
            work,
            fund_id=fund.id,
            amount_fen=world.MATCHING_FEN,
            document_no=f"园科资〔{year}〕2 号",
            split=ENVELOPES,
        )
        return {"appropriation": asked.id}

    said = seeder.step("matching fund", officer, ask)
    seeder.step(
        "matching fund approved",
        approver,
        lambda work: {"id": funds.approve_appropriation(work, appropriation_id=UUID(str(said["appropriation"]))).id},
    )


def enact_later(seeder: Seeder, each: world.LaterProgramme, start: datetime) -> None:
    """Put a programme into force that pays after the delivery, or finds what a park is entitled to by itself."""
    officer, approver = (seeder.person(login, world.PASSWORD) for login in ("policy", "approver"))

    def write(work: Work) -> dict[str, Any]:
        made = programmes.create_programme(
            work, slug=each.slug, name=each.name, name_en=each.name_en, bounds=world.LATER_BOUNDS
        )
        window = {"from": start.astimezone(CHINA).date().isoformat(), "to": f"{start.year + 3}-01-01"}
        policy = {**world.later_policy(each), "window": window}
        draft = programmes.write_version(work, programme_id=made.id, policy=policy)
        programmes.submit_version(work, programme_id=made.id, version=draft.version)
        return {"id": made.id, "version": draft.version}

    said = seeder.step(f"programme {each.slug}", officer, write)

    def approve(work: Work) -> None:
        programmes.approve_version(work, programme_id=UUID(str(said["id"])), version=int(said["version"]))

    seeder.step(f"programme {each.slug} approved", approver, approve)


def decide_cases(seeder: Seeder, parks: Mapping[str, UUID]) -> None:
    """Submit the demo's case-by-case decisions, each approved by as many as it says."""
    officer = seeder.person("policy", world.PASSWORD)
    for case in world.CASES:
        said = seeder.step(f"case {case.document_no}", officer, partial(_submit, case=case, park_id=parks[case.park]))
        approve = partial(_approve, case_id=UUID(str(said["id"])))
        for login in case.approved_by:
            seeder.step(f"case {case.document_no} {login}", seeder.person(login, world.PASSWORD), approve)


def _approve(work: Work, *, case_id: UUID) -> dict[str, Any]:
    return {"state": exemptions.approve_exemption(work, exemption_id=case_id).state}


def _submit(work: Work, *, case: world.DemoCase, park_id: UUID) -> dict[str, Any]:
    file = Upload(f"{case.document_no}.txt", "text/plain", f"{case.document_no}\n{case.reason}\n".encode())
    kept = exemptions.keep_decision(work, park_id=park_id, file=file)
    wish = exemptions.ExemptionWish(
        park_id=park_id,
        programme=world.PROGRAMME,
        offering=case.offering,
        terms={"rate_bp": case.rate_bp},
        limit_fen=case.limit_fen,
        document_no=case.document_no,
        evidence_id=kept.id,
        reason=case.reason,
        expires_at=work.now + timedelta(days=180),
    )
    return {"id": exemptions.submit_exemption(work, wish=wish).id}


def use_later_awards(seeder: Seeder) -> None:
    """Offer what was delivered, and let two parks take theirs: one claims with its papers, one confirms."""
    platform = system_actor("seed")
    with seeder.workshop.work(platform) as work:
        waiting = later_awards.lines_to_offer(work)
    for line in waiting:
        with seeder.workshop.work(system_actor("seed", tenant_id=line.tenant_id)) as work:
            later_awards.offer_line(work, order_line_id=line.order_line_id)
    for login, mode in (("park01", "reimburse"), ("park03", "auto")):
        admin = seeder.person(login, world.PASSWORD)
        seeder.step(f"later {login}", admin, partial(_take_first, admin=admin, mode=mode))


def _take_first(work: Work, *, admin: Actor, mode: str) -> dict[str, Any]:
    """Take the oldest award that may be taken; nothing where none may."""
    found = entitlements.list_entitlements(work, mode=mode, limit=200).items
    ready = [each for each in reversed(found) if each.state is State.OPEN and each.grantable_fen]
    if not ready:
        return {}
    first, amount_fen = ready[0], ready[0].grantable_fen or 0
    if mode == "auto":
        done = entitlement_claims.confirm_entitlement(work, entitlement_id=first.id, amount_fen=amount_fen)
        return {"id": done.id}
    papers = {
        kind: Upload(f"{kind}.txt", "text/plain", f"{kind} {first.reference} {admin.tenant_id}\n".encode())
        for kind in entitlement_claims.NEEDED
    }
    done = entitlement_claims.claim_entitlement(work, entitlement_id=first.id, amount_fen=amount_fen, documents=papers)
    return {"id": done.id}
