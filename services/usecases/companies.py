"""The operator's company registry and the dated expansions of its companies, handed to the leads engine."""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select

from services.gateways.expansion_files import HEADER
from services.gateways.lead_index import FORMAT, META, build_index
from services.rules.bare_names import SHORTEST
from services.rules.companies import Company as Row
from services.rules.company_imports import ImportStatus
from services.rules.short_names import short_names
from services.store.companies import Company, CompanyExpansion, CompanySource, RegistryVersion
from tenants.kernel.errors import Unavailable
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

_WITHDRAWN = select(CompanySource.id).where(CompanySource.status == ImportStatus.WITHDRAWN)
"""Sources whose rows count no more, though they may not all be gone."""
EVENTS = "expansions.csv"
"""The dated expansions, in the same folder as the index, where the registry has any."""


def index_registry(work: Work, cache: Path) -> Path:
    """Return the folder with the index of the active companies as they are now: kept under ``cache``, built if it is new.

    ``EVENTS`` lies in it too, where expansions are known. An engine has no access to the database. A folder is named for the registry's version and never changed;
    all but the two newest are removed. Whoever builds the same one at the same time loses nothing but the work.
    """
    work.actor.require(Permission.EXECUTE_RUN)
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    if cache.stat().st_uid != os.getuid():  # in a shared folder somebody else may have been there first
        raise Unavailable("companies.cache", msg("名录索引目录“{path}”属于其他用户。请运维人员检查。", path=str(cache)))
    folder = cache / _version(work)
    if (folder / META).exists():
        folder.touch()
        return folder
    part = Path(tempfile.mkdtemp(dir=cache, prefix="part-"))
    try:
        _write_expansions(work, part)
        build_index(_active(work), part)
        if folder.exists() and not (folder / META).exists():
            shutil.rmtree(folder)
        with suppress(OSError):  # another worker was faster
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    kept = sorted((each for each in cache.iterdir() if (each / META).exists()), key=lambda each: each.stat().st_mtime)
    for old in kept[:-2]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def registered_names(work: Work, *, said: AbstractSet[str]) -> frozenset[str]:
    """Return which of the pieces of a text ``said`` are short names of companies of the registry, active or not.

    Reads every name: some seconds for a million, in memory that does not grow with them.
    """
    work.actor.require(Permission.EXECUTE_RUN)
    heads = {piece[:SHORTEST] for piece in said}
    names = work.session.execute(select(Company.name).execution_options(yield_per=5000)).scalars()
    found: set[str] = set()
    for name in names if heads else ():
        if any(name[at : at + SHORTEST] in heads for at in range(len(name) - SHORTEST + 1)):
            found |= short_names(name) & said
    return frozenset(found)


def registry_version(work: Work) -> str:
    """Return what names the registry and its expansions as they are now: for use cases that asked for their permission."""
    return str(work.session.execute(select(RegistryVersion.version)).scalar_one())


def version_of(folder: Path) -> str:
    """Return the version of the registry whose index lies in ``folder``."""
    return folder.name.partition("-")[2]


def _version(work: Work) -> str:
    """Return what names the registry as it is, and the form of its index."""
    return f"{FORMAT}-{registry_version(work)}"


def _active(work: Work) -> Iterator[Row]:
    query = select(
        Company.uscc, Company.as_of, Company.name, Company.region_code, Company.industry_code, Company.expansions,
        Company.scope, Company.founded_on, Company.capital_fen,
    ).where(Company.status == "active", Company.source_id.not_in(_WITHDRAWN))  # fmt: skip
    found = work.session.execute(query.execution_options(yield_per=5000))
    return (Row(active=True, **row) for row in found.mappings())


def _write_expansions(work: Work, folder: Path) -> None:
    """Write all expansions that are known, active or not the company: others' moves tell of a place too."""
    columns = (CompanyExpansion.uscc, CompanyExpansion.name, CompanyExpansion.region_code, CompanyExpansion.expanded_on)
    query = select(*columns).where(CompanyExpansion.source_id.not_in(_WITHDRAWN)).order_by(*columns)
    found = work.session.execute(query.execution_options(yield_per=5000))
    first = found.fetchone()
    if first is None:
        return
    with (folder / EVENTS).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        writer.writerow(first)
        writer.writerows(found)
