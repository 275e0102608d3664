"""The activity ledger of a site: records, their corrections, imports, and the year they make."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.artefacts import sent_file
from marketplace.api.calls import call, command, file_body, noun, read, show
from marketplace.api.fields import (
    Answer,
    Body,
    ById,
    Code,
    Idempotent,
    Moment,
    Note,
    Paged,
    Parameters,
    Quantity,
)
from marketplace.doors.identity import bearer_actor, working
from marketplace.doors.language import reader_language
from marketplace.doors.requests import takes_files
from marketplace.doors.texts import translate
from services.rules.carbon.records import Category
from services.usecases import carbon_imports, carbon_inventory
from services.usecases import carbon_records as use_cases
from services.usecases.carbon_inventory import InventoryView
from services.usecases.carbon_records import RecordWish, StatedFactor

carbon_records = noun("carbon_records", "Activities that emit greenhouse gases, and a site's year. Grams of CO2e.")

Number = Annotated[Decimal, Field(ge=0, le=Decimal(10) ** 12, max_digits=18, decimal_places=6)]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Stated(Body):
    """A factor of the supplier's or of a measurement, in kg CO2e per base unit of the item. Needs evidence."""

    kg: Annotated[Decimal, Field(ge=0, lt=10**7, max_digits=16, decimal_places=9)]
    source: Annotated[str, Field(min_length=1, max_length=500)]


class NewRecord(Body):
    """An activity: ``end`` is the day after its last. Litres need the density that the supplier states."""

    category: Category
    item: Code
    start: date
    end: date
    quantity: Number
    unit: Code
    region: Code = "CN"
    edition: Code | None = Field(None, description="Without it the newest factor that is not after the first year")
    density_kg_per_l: Annotated[Decimal, Field(gt=0, le=2, max_digits=6, decimal_places=4)] | None = None
    stated: Stated | None = None
    evidence_id: UUID | None = Field(None, description="A file from POST /artefacts")
    note: Note = Field("", description="Required for a correction: why")

    def wish(self) -> RecordWish:
        """Return it as the use case takes it."""
        given = {name: getattr(self, name) for name in type(self).model_fields if name != "stated"}
        stated = None if self.stated is None else StatedFactor(self.stated.kg, self.stated.source)
        return RecordWish(**given, stated=stated)


class CarbonRecord(Answer):
    """A record with its frozen factor; one with ``replaced_by`` does not count any more."""

    id: UUID
    site_id: UUID
    replaces_id: UUID | None
    replaced_by: UUID | None
    category: Category
    item: str
    region: str
    starts_on: date
    ends_on: date
    quantity: Quantity
    unit: str
    density_kg_per_l: Quantity | None
    base_quantity: Quantity
    base_unit: str
    edition: str
    factor_kg: Quantity
    factor_year: int
    factor_source: str
    residual_edition: str | None
    residual_kg: Quantity | None
    grams: int = Field(description="Location-based, without the heading's sign")
    source: str
    evidence_id: UUID | None
    evidence_sha256: str | None
    note: str
    created_by: UUID | None
    created_at: Moment


class CarbonRecords(Answer):
    """Records, the latest written first."""

    items: list[CarbonRecord]
    next_cursor: str | None = None


class RecordQuery(Paged):
    """Which records."""

    year: int | None = Field(None, ge=2000, le=2100, description="Those that touch it")
    category: Category | None = None


class ImportQuery(Parameters):
    """The file's name, when the body is the file itself, and what becomes of it when some rows are wrong."""

    name: str | None = Field(None, max_length=200)
    keep: Literal["all", "good"] = Field("all", description="all: every row or none; good: the rows that are right")


class RowFault(Answer):
    """What is wrong with a row."""

    field: str = Field(description="Such as file[3].unit; the header is row 1")
    code: str
    detail: str


class CarbonImport(Answer):
    """What an import took. The file is kept as the evidence of its records."""

    id: UUID
    artefact_id: UUID
    sha256: str
    rows_kept: int
    rows_refused: int
    errors: list[RowFault] = Field(description="The first hundred")


class YearQuery(Parameters):
    """Which year."""

    year: int = Field(ge=2000, le=2100)


class CarbonHeading(Answer):
    """A heading of GB/T 32150 with its grams by month."""

    category: Category
    scope: int
    records: int
    grams: int
    months: list[int]


class CarbonCover(Answer):
    """What certificates did to the year's electricity, in kWh."""

    offered: Quantity
    used: Quantity
    given_away: Quantity


class CarbonYear(Answer):
    """A site's year. Grams of CO2e; the location-based total is the figure of GB/T 32150."""

    site_id: UUID
    year: int
    scope1_grams: int
    scope2_location_grams: int
    scope2_market_grams: int
    total_location_grams: int
    total_market_grams: int
    headings: list[CarbonHeading]
    months: list[int] = Field(description="Location-based, all headings")
    market_months: list[int] = Field(description="Electricity, market-based")
    bought_kwh: Quantity
    own_kwh: Quantity
    cover: CarbonCover
    records: int
    without_evidence: int
    missing: list[date] = Field(description="Past months without bought electricity")

    @classmethod
    def of(cls, view: object) -> CarbonYear:
        """Return the answer that shows ``view``, an InventoryView."""
        assert isinstance(view, InventoryView)  # noqa: S101 - for the type checker
        taken = view.inventory
        return cls(
            site_id=view.site.id,
            year=taken.year,
            scope1_grams=taken.scope1,
            scope2_location_grams=taken.scope2_location,
            scope2_market_grams=taken.scope2_market,
            total_location_grams=taken.total_location,
            total_market_grams=taken.total_market,
            headings=[
                CarbonHeading(
                    category=each.category,
                    scope=each.category.scope,
                    records=each.records,
                    grams=each.grams,
                    months=list(each.months),
                )
                for each in taken.headings
            ],
            months=list(taken.months),
            market_months=list(taken.market_months),
            bought_kwh=taken.bought_kwh,
            own_kwh=taken.own_kwh,
            cover=CarbonCover.of(taken.cover),
            records=len(view.standing),
            without_evidence=view.without_evidence,
            missing=list(view.missing),
        )


@carbon_records.get("/sites/<id>/carbon/records", **call(CarbonRecords))
def list_carbon_records(path: ById, query: RecordQuery) -> Response:
    """List a site's records, replaced ones too."""
    return read(
        CarbonRecords,
        lambda work: use_cases.list_records(
            work, site_id=path.id, year=query.year, category=query.category, limit=query.limit, cursor=query.cursor
        ),
    )


@carbon_records.post("/sites/<id>/carbon/records", **call(CarbonRecord, status=201))
def enter_carbon_record(path: ById, body: NewRecord, header: Idempotent) -> Response:
    """Write an activity into the ledger; it is never edited."""
    return command(
        "carbon.record",
        header,
        body,
        lambda work: CarbonRecord.of(use_cases.enter_record(work, site_id=path.id, wish=body.wish())),
        status=201,
        about={"id": str(path.id)},
    )


@carbon_records.get("/carbon/records/<id>", **call(CarbonRecord))
def read_carbon_record(path: ById) -> Response:
    """Read a record."""
    return read(CarbonRecord, lambda work: use_cases.read_record(work, record_id=path.id))


@carbon_records.post("/carbon/records/<id>/corrections", **call(CarbonRecord, status=201))
def correct_carbon_record(path: ById, body: NewRecord, header: Idempotent) -> Response:
    """Write a record in the place of another; the quantity zero withdraws it."""
    return command(
        "carbon.correct",
        header,
        body,
        lambda work: CarbonRecord.of(use_cases.correct_record(work, record_id=path.id, wish=body.wish())),
        status=201,
        about={"id": str(path.id)},
    )


@carbon_records.post("/sites/<id>/carbon/imports", **call(CarbonImport, status=201), **file_body("text/csv", XLSX))
@takes_files
def import_carbon_records(path: ById, query: ImportQuery) -> Response:
    """Take activities from a CSV or XLSX file."""
    bearer_actor()
    sent = sent_file()  # before the transaction: a slow line must not keep a connection of the database
    with working() as work:
        taken = carbon_imports.import_records(
            work, site_id=path.id, name=sent.name, media_type=sent.media_type, content=sent.content, keep=query.keep
        )
        language = reader_language()
        faults = [
            RowFault(field=each.field, code=each.code, detail=translate(each.message, language))
            for each in taken.errors
        ]
        return show(CarbonImport(**{**vars(taken), "errors": faults}), 201)


@carbon_records.get("/sites/<id>/carbon/inventory", **call(CarbonYear))
def read_carbon_inventory(path: ById, query: YearQuery) -> Response:
    """Take a site's year by heading and month, by both methods."""
    return read(CarbonYear, lambda work: carbon_inventory.read_inventory(work, site_id=path.id, year=query.year))
