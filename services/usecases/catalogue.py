"""The catalogue: what can be rented from whom. The instruments behind bookable offerings, see instruments."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, case, select
from sqlalchemy.dialects.postgresql import insert

from services.rules.catalogue import SLUG, Delivery
from services.store.catalogue import Offering
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission, Tier, UsageUnit
from tenants.kernel.work import Work
from tenants.usecases import audit
from tenants.usecases.providers import ProviderView, read_providers


@dataclass(frozen=True)
class OfferingView:
    """An offering as a park sees it. It holds no price: billing knows how much."""

    id: UUID
    slug: str
    provider_id: UUID
    provider_name: str
    provider_uscc: str
    provider_control_group: UUID | None
    provider_credit_blocked: bool
    tier: Tier
    delivery: Delivery
    name: str
    name_en: str
    summary: str
    summary_en: str
    usage_unit: UsageUnit
    build_cost_fen: int
    orderable: bool


def list_offerings(
    work: Work, *, tier: Tier | None = None, delivery: Delivery | str | None = None
) -> tuple[OfferingView, ...]:
    """Return the offerings, of one tier or one way of delivery if asked, lower tiers first."""
    work.actor.require(Permission.READ_CATALOGUE)
    rank = case({member.value: member.rank for member in Tier}, value=Offering.tier)
    query = select(Offering).order_by(rank, Offering.slug)
    if tier is not None:
        query = query.where(Offering.tier == tier)
    if delivery is not None:
        query = query.where(Offering.delivery == delivery)
    return _views(work, query)


def read_offering(work: Work, *, slug: str) -> OfferingView:
    """Return one offering; NotFound when there is none of that slug."""
    work.actor.require(Permission.READ_CATALOGUE)
    found = _views(work, select(Offering).where(Offering.slug == slug))
    if not found:
        raise NotFound("offering.not_found", msg("没有名为“{slug}”的服务。请从服务目录中选择。", slug=slug))
    return found[0]


def provider_of(work: Work, *, slug: str) -> UUID | None:
    """Return who provides an offering, None for an unknown one."""
    work.actor.require(Permission.READ_CATALOGUE)
    return work.session.execute(select(Offering.provider_id).where(Offering.slug == slug)).scalar_one_or_none()


def add_offering(
    work: Work,
    *,
    slug: str,
    provider_id: UUID,
    tier: Tier,
    delivery: Delivery,
    name: str,
    name_en: str,
    summary: str,
    summary_en: str,
    build_cost_fen: int = 0,
) -> OfferingView:
    """List a new offering of a provider. Its unit of use follows from how it is delivered.

    Raises Invalid for unusable values and Conflict when the slug is taken.
    """
    work.actor.require(Permission.MANAGE_CATALOGUE)
    texts = {
        "name": (name, 200),
        "name_en": (name_en, 200),
        "summary": (summary, 1000),
        "summary_en": (summary_en, 1000),
    }
    wrong: dict[str, Message] = {
        field: msg("须为 1 至 {limit} 个字符。", limit=limit)
        for field, (text, limit) in texts.items()
        if not text.strip() or len(text) > limit
    }
    if not SLUG.fullmatch(slug) or len(slug) > 64:
        wrong["slug"] = msg("须为小写字母、数字和连字符，以字母开头，最多 64 个字符。")
    if build_cost_fen < 0:
        wrong["build_cost_fen"] = msg("不能为负。")
    if provider_id not in read_providers(work, ids=[provider_id]):
        wrong["provider_id"] = msg("没有此服务机构，请先登记。")
    refuse_fields(wrong)
    delivery = Delivery(delivery)
    row = {
        "id": new_id(),
        "slug": slug,
        "provider_id": provider_id,
        "tier": Tier(tier),
        "delivery": delivery,
        "name": name.strip(),
        "name_en": name_en.strip(),
        "summary": summary.strip(),
        "summary_en": summary_en.strip(),
        "usage_unit": delivery.usage_unit,
        "build_cost_fen": build_cost_fen,
        "orderable": True,
        "created_at": work.now,
    }
    statement = insert(Offering).values(row).on_conflict_do_nothing().returning(Offering.id)
    if work.session.execute(statement).scalar_one_or_none() is None:
        raise Conflict("offering.slug_taken", msg("标识“{slug}”已被使用。请换一个。", slug=slug))
    audit.record(work, "offering.add", "offering", slug)
    return read_offering(work, slug=slug)


def _views(work: Work, query: Select[Offering]) -> tuple[OfferingView, ...]:
    rows = work.session.execute(query).scalars().all()
    providers = read_providers(work, ids={row.provider_id for row in rows})
    return tuple(_view(row, providers[row.provider_id]) for row in rows)


def _view(row: Offering, provider: ProviderView) -> OfferingView:
    return OfferingView(
        id=row.id,
        slug=row.slug,
        provider_id=row.provider_id,
        provider_name=provider.name,
        provider_uscc=provider.uscc,
        provider_control_group=provider.control_group,
        provider_credit_blocked=provider.credit_blocked,
        tier=Tier(row.tier),
        delivery=Delivery(row.delivery),
        name=row.name,
        name_en=row.name_en,
        summary=row.summary,
        summary_en=row.summary_en,
        usage_unit=UsageUnit(row.usage_unit),
        build_cost_fen=row.build_cost_fen,
        orderable=row.orderable,
    )


def refuse_fields(wrong: dict[str, Message]) -> None:
    """Raise Invalid when a field is wrong, naming each."""
    if wrong:
        errors = [FieldError(field, "catalogue.field", message) for field, message in wrong.items()]
        raise Invalid("catalogue.invalid", msg("登记信息有 {count} 处需要修改。", count=len(wrong)), errors=errors)
