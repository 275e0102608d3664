"""A site's green certificates: registered, retired or sold once."""

from __future__ import annotations

import re
from datetime import date

from flask import Response, url_for

from marketplace.web.carbon import asked_year
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.carbon.certificates import End, Origin
from services.rules.catalogue import Delivery
from services.usecases import carbon_certificates as use_cases
from services.usecases import sites
from services.usecases.carbon_certificates import CertificateWish
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.rules.days import local_day

pages = page_group("carbon_certificates")

_MONTH = re.compile(r"20\d{2}-(0[1-9]|1[0-2])", re.ASCII)


@pages.get("/sites/<site_id>/certificates")
def certificates(site_id: str) -> Response:
    """Show a site's certificates."""
    return _page(site_id, None)


@pages.post("/sites/<site_id>/certificates")
def register(site_id: str) -> Response:
    """Register a certificate."""
    try:
        with page_work() as work:
            use_cases.register_certificate(work, site_id=id_of(site_id), wish=_wish())
    except Problem as problem:
        return _page(site_id, refusal_of(problem))
    return go(url_for("carbon_certificates.certificates", site_id=site_id))


@pages.post("/sites/<site_id>/certificates/<certificate_id>")
def end(site_id: str, certificate_id: str) -> Response:
    """Retire a certificate for a year, or note that it was sold."""
    sold = field("end") == End.SOLD
    try:
        with page_work() as work:
            use_cases.end_certificate(
                work,
                certificate_id=id_of(certificate_id),
                end=End.SOLD if sold else End.RETIRED,
                year=None if sold else asked_year(field("year")),
            )
    except Problem as problem:
        return _page(site_id, refusal_of(problem, lambda _path: None))
    return go(url_for("carbon_certificates.certificates", site_id=site_id))


def _wish() -> CertificateWish:
    origin, month, mwh = field("origin"), field("month"), field("mwh")
    errors = []
    if origin not in set(Origin):
        errors.append(FieldError("origin", "form.field", msg("请选择来源。")))
    if not _MONTH.fullmatch(month):
        errors.append(FieldError("month", "form.field", msg("月份须写成 2026-01。")))
    if not (mwh.isascii() and mwh.isdigit() and len(mwh) < 8):
        errors.append(FieldError("mwh", "form.field", msg("须为整数。")))
    if errors:
        raise Invalid(
            "form.field", msg("有 {count} 项填写有误。请按各项提示改正后重新提交。", count=len(errors)), errors=errors
        )
    return CertificateWish(
        number=field("number"),
        origin=Origin(origin),
        mwh=int(mwh),
        month=date.fromisoformat(f"{month}-01"),
        project=field("project"),
    )


def _page(site_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        site = sites.read_site(work, site_id=id_of(site_id))
        found = use_cases.list_certificates(work, site_id=site.id)
        running = Delivery.CARBON in sites.running_services(work, site_id=site.id)
        this_year = local_day(work.now).year
    return show(
        "carbon/certificates.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {},
        site=site,
        certificates=found,
        origins=tuple(Origin),
        running=running,
        this_year=this_year,
    )
