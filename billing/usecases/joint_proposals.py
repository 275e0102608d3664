"""Agreements that parks propose themselves: one of them writes the terms and names its partners, all sign, the province registers.

A park sees no other park until they are parties together, so it names a partner by the credit code on their contract, and a
party of the version before by being one. Whoever leaves an agreement leaves it by a version that the province writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from billing.rules.joint_agreements import PartyRole, Share, Terms, check_terms
from billing.store import joint_agreements as store
from billing.usecases.joint_agreements import AgreementView, check_title, read_agreement, write_version
from tenants.kernel.errors import FieldError, Invalid, NotFound
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases.named_parks import read_partner_parks


@dataclass(frozen=True, slots=True)
class Partner:
    """A park that is to be a party: by its credit code, or by ``park_id`` where it is one of the version before."""

    role: PartyRole
    share_bp: int
    uscc: str = ""
    park_id: UUID | None = None


def propose_agreement(
    work: Work, *, terms: Terms, partners: Sequence[Partner], series_id: UUID | None = None
) -> AgreementView:
    """Write a version for the own park and its partners to sign: of a new agreement, or the next of ``series_id``.

    Raises Invalid with every fault, for a partner that is not known, without the own park among those who fund, and
    where a party of the version before is missing; NotFound for a series that the park is no party of.
    """
    work.actor.require(Permission.PROPOSE_JOINT)
    own, person = work.actor.require_tenant(), work.actor.require_person()
    check_title(terms)
    before = _before(work, series_id)
    parties, names = _resolved(work, partners, before)
    check_terms(terms, parties)
    if not any(each.park_id == own and each.share_bp for each in parties):
        raise _refused("parties", "joint.own_park", msg("本园区须是出资方之一。请加入本园区。"))
    if missing := [name for park_id, name in before.items() if park_id not in names]:
        wrong = msg("新版本须包括现有各方，缺少：{parks}。如有园区退出，请由省级起草。", parks="、".join(missing))
        raise _refused("parties", "joint.party_left_out", wrong)
    version = 1
    if series_id is not None:
        latest = store.latest_version_of_party(work.session, series_id)
        if latest is None:
            raise _no_series()
        version = latest + 1
    return write_version(
        work,
        terms=terms,
        parties=parties,
        names=names,
        series_id=series_id,
        version=version,
        person=person,
        park_id=own,
    )


def _before(work: Work, series_id: UUID | None) -> Mapping[UUID, str]:
    """Return the parties of the latest registered version of a series, or of the latest that was not taken back while none
    is registered, by name; none of a new series. What one party drafted binds nobody.
    """
    if series_id is None:
        return {}
    rows = store.agreements_page(work.session, series_id=series_id, before=None, limit=50)
    standing = [each for each in rows if each.withdrawn_at is None]
    if not standing:
        raise _no_series()
    row = next((each for each in standing if each.registered_at is not None), standing[0])
    return {each.park_id: each.name for each in read_agreement(work, agreement_id=row.id).parties}


def _resolved(
    work: Work, partners: Sequence[Partner], before: Mapping[UUID, str]
) -> tuple[list[Share], dict[UUID, str]]:  # fmt: skip
    codes = {each.uscc.strip().upper() for each in partners if each.uscc.strip()}
    found = {each.uscc: each for each in read_partner_parks(work, usccs=codes)}
    parties, names, wrong = [], {}, []
    for place, each in enumerate(partners):
        known = found.get(each.uscc.strip().upper())
        park_id = each.park_id if known is None else known.id
        if park_id is None or (known is None and park_id not in before):
            wrong.append(_unknown(place, each))
            continue
        names[park_id] = before[park_id] if known is None else known.name
        parties.append(Share(park_id, each.role, each.share_bp))
    if wrong:
        raise Invalid("joint.unknown_park", wrong[0].message, errors=wrong)
    return parties, names


def _unknown(place: int, partner: Partner) -> FieldError:
    code = partner.uscc.strip()
    if code or partner.park_id is None:
        unknown = msg("没有找到统一社会信用代码为“{code}”的已核实园区。请核对代码。", code=code)
        return FieldError(f"parties.{place}.uscc", "joint.unknown_park", unknown)
    unknown = msg("该园区不是上一版的参与方。请改填其统一社会信用代码。")
    return FieldError(f"parties.{place}.park_id", "joint.unknown_park", unknown)


def _no_series() -> NotFound:
    return NotFound("joint.series_not_found", msg("没有找到原协议。请从列表中重新打开。"))


def _refused(field: str, code: str, wrong: Message) -> Invalid:
    return Invalid(code, wrong, errors=[FieldError(field, code, wrong)])
