"""Editions of emission factors: those that come with the platform, and those that two operators bring in together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from services.gateways.emission_factors import built_in, read_factors
from services.rules.carbon.factors import Base, Factor, FactorTable, FuelProperties
from services.store.carbon import FactorEdition
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotAllowed, NotFound
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit

BUILT_IN = "built_in"


@dataclass(frozen=True)
class EditionView:
    """An edition: ``status`` is ``built_in``, ``draft``, ``published`` or ``refused``."""

    code: str
    name: str
    status: str
    factors: tuple[Factor, ...]
    sha256: str | None
    imported_by: UUID | None
    imported_at: datetime | None
    decided_at: datetime | None


def factor_table(work: Work) -> FactorTable:
    """Return every factor that may be used: the built-in ones and those of published editions."""
    work.actor.require(Permission.READ_CARBON)
    query = select(FactorEdition).where(FactorEdition.status == "published").order_by(FactorEdition.imported_at)
    imported = [factor for row in work.session.execute(query).scalars() for factor in _factors(row)]
    return FactorTable([*built_in(), *imported]) if imported else built_in()


def list_editions(work: Work) -> tuple[EditionView, ...]:
    """Return the built-in editions, then the imported ones, newest last. Parks see those they may use."""
    work.actor.require(Permission.READ_CARBON)
    known = [
        EditionView(code, code, BUILT_IN, built_in().items(code), None, None, None, None)
        for code in built_in().editions
    ]
    query = select(FactorEdition).order_by(FactorEdition.imported_at, FactorEdition.code)
    if not work.actor.may(Permission.MANAGE_FACTORS):
        query = query.where(FactorEdition.status == "published")
    return (*known, *map(_view, work.session.execute(query).scalars()))


def import_edition(work: Work, *, name: str, content: bytes) -> EditionView:
    """Bring an edition as a draft: one CSV of the built-in file's form, all rows of one new edition.

    Raises Invalid with rows and columns, Conflict ``edition.known`` for a code that is taken.
    """
    work.actor.require(Permission.MANAGE_FACTORS)
    title = name.strip()
    if not 1 <= len(title) <= 200:
        text = msg("须为 1 至 {limit} 个字符。", limit=200)
        raise Invalid("edition.name", text, errors=[FieldError("name", "edition.name", text)])
    factors = read_factors(content)
    codes = {factor.edition for factor in factors}
    if len(codes) > 1:
        text = msg("一个文件只能包含一个版本，其中有：{codes}。", codes="、".join(sorted(codes)))
        raise Invalid("edition.several", text, errors=[FieldError("file", "edition.several", text)])
    code = codes.pop()
    user = work.actor.user_id
    if user is None:
        raise NotAllowed("edition.person", msg("因子版本须由本人导入和审核。"))
    row = {
        "code": code,
        "name": title,
        "factors": [_stored(factor) for factor in factors],
        "sha256": hashlib.sha256(content).hexdigest(),
        "content": content,
        "status": "draft",
        "imported_by": user,
        "imported_at": work.now,
    }
    made = insert(FactorEdition).values(row).on_conflict_do_nothing()
    if code in built_in().editions or not rows_written(work.session, made):
        raise Conflict("edition.known", msg("因子版本“{code}”已存在，使用中的版本不能修改。请用新的编号。", code=code))
    audit.record(work, "factors.import", "factor_edition", code, sha256=row["sha256"], factors=len(factors))
    return _read(work, code)


def decide_edition(work: Work, *, code: str, decision: Literal["published", "refused"]) -> EditionView:
    """Publish or refuse a draft, as another person than who imported it; the database holds that too.

    Raises NotFound, NotAllowed ``edition.own``, Conflict ``edition.decided``.
    """
    work.actor.require(Permission.MANAGE_FACTORS)
    before = _read(work, code)
    if work.actor.user_id is None or before.imported_by == work.actor.user_id:
        raise NotAllowed("edition.own", msg("导入者不能审核自己的因子版本。请由另一位运营人员审核。"))
    decided = (
        update(FactorEdition)
        .where(FactorEdition.code == code, FactorEdition.status == "draft")
        .values(status=decision, decided_by=work.actor.user_id, decided_at=work.now)
    )
    if not rows_written(work.session, decided):
        raise Conflict("edition.decided", msg("该因子版本已经审核过。"))
    audit.record(work, f"factors.{decision}", "factor_edition", code)
    return _read(work, code)


def _read(work: Work, code: str) -> EditionView:
    row = work.session.execute(
        select(FactorEdition).where(FactorEdition.code == code).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        raise NotFound("edition.not_found", msg("没有找到该因子版本。请从列表中选择。"))
    return _view(row)


def _view(row: FactorEdition) -> EditionView:
    return EditionView(
        code=row.code,
        name=row.name,
        status=row.status,
        factors=tuple(_factors(row)),
        sha256=row.sha256,
        imported_by=row.imported_by,
        imported_at=row.imported_at,
        decided_at=row.decided_at,
    )


def _stored(factor: Factor) -> dict[str, Any]:
    fuel = factor.fuel and {name: str(value) for name, value in vars(factor.fuel).items()}
    return {
        "item": factor.item,
        "region": factor.region,
        "kg": str(factor.kg),
        "base": factor.base,
        "year": factor.year,
        "source": factor.source,
        "fuel": fuel,
    }


def _factors(row: FactorEdition) -> Sequence[Factor]:
    return [
        Factor(
            edition=row.code,
            item=each["item"],
            region=each["region"],
            kg=Decimal(each["kg"]),
            base=Base(each["base"]),
            year=each["year"],
            source=each["source"],
            fuel=each["fuel"] and FuelProperties(**{name: Decimal(value) for name, value in each["fuel"].items()}),
        )
        for each in row.factors
    ]
