"""The activity ledger of a site: entering, correcting, listing. What was written stays; a correction is written too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from services.rules.carbon.factors import NATION, RESIDUAL, Base, Factor, FactorTable
from services.rules.carbon.quantities import grams, to_base
from services.rules.carbon.records import Category, Record, check_item, check_span
from services.rules.catalogue import Delivery
from services.store.carbon import CarbonRecord
from services.store.runs import Artefact
from services.usecases import site_months, sites
from services.usecases.carbon_factors import factor_table
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.days import local_day
from tenants.rules.faults import Faults
from tenants.usecases import audit

STATED = "stated"
"""The edition of a factor that a park states itself, with its source and evidence."""
LONGEST_NOTE = 500


@dataclass(frozen=True)
class StatedFactor:
    """A factor of the supplier's or of a measurement: kg CO2 equivalent per base unit of the item, and its source."""

    kg: Decimal
    source: str


@dataclass(frozen=True)
class RecordWish:
    """An activity as people know it: ``[start, end)``, ``quantity`` in ``unit``.

    Without ``edition`` the newest factor that is not after the activity's first year is taken. ``evidence_id`` is an
    uploaded file.
    """

    category: Category
    item: str
    start: date
    end: date
    quantity: Decimal
    unit: str
    region: str = NATION
    edition: str | None = None
    density_kg_per_l: Decimal | None = None
    stated: StatedFactor | None = None
    evidence_id: UUID | None = None
    note: str = ""


@dataclass(frozen=True)
class RecordView:
    """A record of the ledger with its frozen factor. ``replaced_by`` is the record that took its place."""

    id: UUID
    site_id: UUID
    replaces_id: UUID | None
    replaced_by: UUID | None
    category: Category
    item: str
    region: str
    starts_on: date
    ends_on: date
    quantity: Decimal
    unit: str
    density_kg_per_l: Decimal | None
    base_quantity: Decimal
    base_unit: str
    edition: str
    factor_kg: Decimal
    factor_year: int
    factor_source: str
    residual_edition: str | None
    residual_kg: Decimal | None
    grams: int
    source: str
    evidence_id: UUID | None
    evidence_sha256: str | None
    note: str
    created_by: UUID | None
    created_at: datetime

    @property
    def signed_grams(self) -> int:
        """Return the grams as they enter the total; zero for a record that was replaced."""
        return 0 if self.replaced_by is not None else self.grams * self.category.sign

    @property
    def record(self) -> Record:
        """Return it as the rules know it."""
        base = Base(self.base_unit)
        residual = None
        if self.residual_kg is not None and self.residual_edition is not None:
            residual = Factor(
                self.residual_edition, RESIDUAL, NATION, self.residual_kg, base, self.factor_year, self.factor_source
            )
        factor = Factor(
            self.edition, self.item, self.region, self.factor_kg, base, self.factor_year, self.factor_source
        )
        return Record(
            id=self.id,
            replaces=self.replaces_id,
            category=self.category,
            start=self.starts_on,
            end=self.ends_on,
            base_quantity=self.base_quantity,
            factor=factor,
            grams=self.grams,
            residual=residual,
        )


def enter_record(work: Work, *, site_id: UUID, wish: RecordWish) -> RecordView:
    """Write an activity into the ledger. Raises Invalid with every wrong field, Conflict without a rented month."""
    work.actor.require(Permission.RECORD_CARBON)
    site_months.require_running(work, site_id=site_id, delivery=Delivery.CARBON)
    row = write_record(work, site_id, wish, factor_table(work), source="manual")
    _noted(work, site_id, "carbon.record", row)
    return read_record(work, record_id=row["id"])


def correct_record(work: Work, *, record_id: UUID, wish: RecordWish) -> RecordView:
    """Write a record in the place of another one; zero withdraws it. What was corrected stays in the ledger.

    Raises NotFound, Invalid, Conflict ``carbon.replaced`` when something has taken its place already.
    """
    work.actor.require(Permission.RECORD_CARBON)
    before = read_record(work, record_id=record_id)
    site_months.require_running(work, site_id=before.site_id, delivery=Delivery.CARBON)
    if not wish.note.strip():
        text = msg("更正须说明原因。")
        raise Invalid("carbon.note", text, errors=[FieldError("note", "carbon.note", text)])
    row = write_record(work, before.site_id, wish, factor_table(work), source="manual", replaces=record_id)
    _noted(work, before.site_id, "carbon.correct", row)
    return read_record(work, record_id=row["id"])


def read_record(work: Work, *, record_id: UUID) -> RecordView:
    """Return a record of the acting park; NotFound for another park's."""
    work.actor.require(Permission.READ_CARBON)
    found = work.session.execute(_records(work).where(CarbonRecord.id == record_id)).one_or_none()
    if found is None:
        raise NotFound("carbon.not_found", msg("没有找到该活动记录。请从台账中打开。"))
    return _view(*found)


def list_records(
    work: Work,
    *,
    site_id: UUID,
    year: int | None = None,
    category: Category | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[RecordView]:
    """Return a site's records, the latest written first; with ``year`` those that touch it."""
    work.actor.require(Permission.READ_CARBON)
    sites.read_site(work, site_id=site_id)
    query = _records(work).where(CarbonRecord.site_id == site_id)
    if year is not None:
        query = query.where(CarbonRecord.starts_on < date(year + 1, 1, 1), CarbonRecord.ends_on > date(year, 1, 1))
    if category is not None:
        query = query.where(CarbonRecord.category == category)
    if (after := decode_cursor(cursor)) is not None:
        written, last = after
        query = query.where(
            (CarbonRecord.created_at < written) | ((CarbonRecord.created_at == written) & (CarbonRecord.id < last))
        )
    query = query.order_by(CarbonRecord.created_at.desc(), CarbonRecord.id.desc()).limit(check_limit(limit) + 1)
    rows = work.session.execute(query).all()
    return page_of(rows, limit, lambda row: _view(*row), lambda row: (row[0].created_at, row[0].id))


def all_records(work: Work, site_id: UUID) -> tuple[RecordView, ...]:
    """Return every record of a site, replaced ones among them, in the order in which they were written."""
    query = _records(work).where(CarbonRecord.site_id == site_id).order_by(CarbonRecord.created_at, CarbonRecord.id)
    return tuple(_view(*row) for row in work.session.execute(query))


def write_record(
    work: Work,
    site_id: UUID,
    wish: RecordWish,
    table: FactorTable,
    *,
    source: str,
    replaces: UUID | None = None,
    import_id: UUID | None = None,
    meter_id: UUID | None = None,
) -> dict[str, Any]:
    """Check a wish and write its row, for the use cases of the ledger; they have asked who acts and what is rented."""
    row = checked_row(work, wish, table)
    row |= {
        "tenant_id": work.actor.require_tenant(),
        "id": new_id(),
        "site_id": site_id,
        "replaces_id": replaces,
        "source": source,
        "import_id": import_id,
        "meter_id": meter_id,
        "created_by": work.actor.user_id,
        "created_at": work.now,
    }
    if not rows_written(work.session, insert(CarbonRecord).values(row).on_conflict_do_nothing()):
        raise Conflict("carbon.replaced", msg("该记录已被更正过。请打开最新的一条再更正。"))
    return row


def checked_row(work: Work, wish: RecordWish, table: FactorTable) -> dict[str, Any]:
    """Return the columns that a wish decides; Invalid names every wrong field."""
    with Faults() as faults:
        faults.take("item", check_item, wish.category, wish.item)
        _take_span(faults, wish, local_day(work.now))
        if len(wish.note) > LONGEST_NOTE:
            faults.add("note", "carbon.note", msg("备注须在 {most} 个字以内。", most=LONGEST_NOTE))
        evidence = faults.take("evidence_id", _evidence, work, wish)
        factor = faults.take("edition" if wish.edition else "item", _factor, wish, table)
    base = to_base(wish.quantity, wish.unit, factor, wish.density_kg_per_l)
    residual = _residual(wish, factor, table)
    return {
        "category": wish.category,
        "item": wish.item,
        "region": factor.region,
        "starts_on": wish.start,
        "ends_on": wish.end,
        "quantity": wish.quantity,
        "unit": wish.unit,
        "density_kg_per_l": wish.density_kg_per_l,
        "base_quantity": base,
        "base_unit": factor.base,
        "edition": factor.edition,
        "factor_kg": factor.kg,
        "factor_year": factor.year,
        "factor_source": factor.source,
        "residual_edition": residual.edition if residual else None,
        "residual_kg": residual.kg if residual else None,
        "grams": grams(base, factor),
        "evidence_id": wish.evidence_id,
        "evidence_sha256": evidence,
        "note": wish.note.strip(),
    }


def _take_span(faults: Faults, wish: RecordWish, today: date) -> None:
    try:
        check_span(wish.start, wish.end, today)
    except Invalid as problem:
        for error in problem.errors:
            faults.add(error.field, error.code, error.message)


def _factor(wish: RecordWish, table: FactorTable) -> Factor:
    newest = table.grid(wish.start.year, wish.item, wish.region)
    if wish.stated is None:
        return newest if wish.edition is None else table.find(wish.edition, wish.item, wish.region)
    if wish.evidence_id is None:
        raise Invalid("carbon.stated", msg("自报因子须附证据文件。"))
    source = wish.stated.source.strip()
    if not 1 <= len(source) <= LONGEST_NOTE or not wish.stated.kg.is_finite() or not 0 <= wish.stated.kg < 10**7:
        raise Invalid("carbon.stated", msg("自报因子须为不小于 0 的数字，并写明来源。"))
    kilograms = wish.stated.kg.quantize(Decimal("0.000000001"))
    return replace(newest, edition=STATED, region="site", kg=kilograms, year=wish.start.year, source=source)


def _residual(wish: RecordWish, factor: Factor, table: FactorTable) -> Factor | None:
    """Return the residual mix beside an average: its own edition's, else the newest that is not after the activity."""
    if not wish.category.electric:
        return None
    try:
        return table.find(factor.edition, RESIDUAL)
    except Invalid:
        return table.grid(wish.start.year, RESIDUAL)


def _evidence(work: Work, wish: RecordWish) -> str | None:
    """Return the hash of the uploaded file that proves an activity."""
    if wish.evidence_id is None:
        return None
    found = work.session.execute(
        select(Artefact.sha256).where(
            Artefact.tenant_id == work.actor.require_tenant(), Artefact.id == wish.evidence_id
        )
    ).scalar_one_or_none()
    if found is None:
        raise Invalid("carbon.evidence", msg("没有找到该证据文件。请先上传。"))
    return str(found)


def _noted(work: Work, site_id: UUID, action: str, row: dict[str, Any]) -> None:
    site_months.note_activity(work, site_id=site_id, delivery=Delivery.CARBON)
    audit.record(work, action, "carbon_record", row["id"], site_id=site_id, grams=row["grams"])


def _records(work: Work) -> Any:
    by = aliased(CarbonRecord)
    return (
        select(CarbonRecord, by.id)
        .outerjoin(by, (by.tenant_id == CarbonRecord.tenant_id) & (by.replaces_id == CarbonRecord.id))
        .where(CarbonRecord.tenant_id == work.actor.require_tenant())
    )


def _view(row: CarbonRecord, replaced_by: UUID | None) -> RecordView:
    names = RecordView.__dataclass_fields__.keys() - {"replaced_by", "category"}
    return RecordView(
        **{name: getattr(row, name) for name in names}, category=Category(row.category), replaced_by=replaced_by
    )


def standing_views(records: Sequence[RecordView]) -> tuple[RecordView, ...]:
    """Return the records that count."""
    return tuple(record for record in records if record.replaced_by is None)
