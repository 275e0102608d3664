"""Ordering: say what for, see the price with both payers' parts and every reason, confirm it once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from billing.usecases import funds, quotes, wallets
from marketplace.doors.current import current_market
from marketplace.doors.requests import MIB, takes_files
from marketplace.doors.service_names import know_services
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import checkout, estimates, orders, shop
from marketplace.web.brief_form import brief_choices, brief_place, brief_request
from marketplace.web.explaining import tell
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from marketplace.web.schedule_form import ROWS, demo_demand_price, demo_prices, schedule_place, schedule_request
from marketplace.web.week import make_week, monday_of
from services.rules.industries import DIVISIONS
from services.rules.site_months import rentable_months
from services.usecases import (
    artefacts,
    attendance_rules,
    bookings,
    briefs,
    instruments,
    qualifications,
    quotas,
    rebooking,
    sample_views,
    sites,
    slot_holds,
    slot_search,
    twin_models,
)
from services.usecases.catalogue import OfferingView
from services.usecases.twin_schema import climate_cities
from tenants.kernel.errors import Conflict, FieldError, Invalid, Problem
from tenants.kernel.idempotency import once
from tenants.kernel.identifiers import parse_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding

pages = page_group("ordering")

CHANGED = frozenset(
    {
        "quote.expired",
        "price.changed",
        "quote.subsidy_changed",
        "quote.repeat_changed",
        "fund.exhausted",
        "cap.reached",
        "cap.rolling_reached",
        "contract.already_subsidised",
    }
)
"""Refusals after which the park is shown a new price beside the old one."""
WEATHER_FILE = "weather.epw"
"""What a weather file sent with the form is called in the request."""
MOST_ROWS = 12
"""Faults of a file that are listed one by one."""
MOST_SLOTS_SHOWN = 500
"""Free slots of a week that the form offers; whoever looks for more narrows the search to an instrument."""
_ROW = re.compile(r"\.(?:csv|epw)\[(\d+)\]\.(\w+)$")


@pages.get("/rent/<slug>")
def rent(slug: str) -> Response:
    """Show the form that says what an offering is wanted for."""
    return _form(slug, None, {})


@pages.post("/rent/<slug>")
@takes_files
def ask(slug: str) -> Response:
    """Ask the price of what the form says, and go to the price."""
    try:
        with page_work() as work:
            offering = shop.read_shop_item(work, slug=slug).offering
            documents = _site_months() if offering.delivery.by_month else [_request(work, offering)]
            lines = [checkout.LineWish(slug, document) for document in documents]
            may_order = work.actor.may(Permission.PLACE_ORDER)
            quote = checkout.ask_quote(work, lines=lines, contract_no=field("contract_no"), hold_slots=may_order)
            same = _same_run(work, offering, documents[0])
    except Problem as problem:
        return _form(slug, refusal_of(problem, _place), given())
    return go(url_for("ordering.price", quote_id=quote.id, same=same))


@pages.post("/rent/<slug>/estimate")
@takes_files
def estimate(slug: str) -> Response:
    """Check a twin's input and say what the run takes and costs; a file that came is kept for the order."""
    typed = dict(given())
    try:
        with page_work() as work:
            offering = shop.read_shop_item(work, slug=slug).offering
            asked = _request(work, offering)
            found = estimates.estimate_twin(work, offering=slug, request=asked)
    except Problem as problem:
        return _form(slug, refusal_of(problem, _place), typed)
    typed |= {"artefact_id": str(asked.get("artefact_id") or "")}
    typed |= {"weather_id": str(asked.get("files", {}).get(WEATHER_FILE, ""))}
    return _form(slug, None, typed, found=found)


@pages.post("/rent/<slug>/industries")
def industries(slug: str) -> Response:
    """Show the form again with the industries that the park's words mean."""
    try:
        with page_work() as work:
            found = briefs.suggest_industries(work, words=field("words"))
    except Problem as problem:
        return _form(slug, refusal_of(problem, _place), given())
    return _form(slug, None, given(), suggested=found)


@pages.get("/quotes/<quote_id>")
def price(quote_id: str) -> Response:
    """Show a price; ``?was=`` names the quote it replaces."""
    return _price(quote_id, None)


@pages.post("/quotes/<quote_id>")
def confirm(quote_id: str) -> Response:
    """Confirm a price: one order comes of it however often the form is sent."""
    key = field("key") or f"quote:{quote_id}"
    try:
        with page_work() as work:
            wanted = {"quote_id": str(id_of(quote_id)), "payment_method": field("payment_method")}
            answer = once(work, key, "page.place_order", wanted, lambda: _place_order(work, wanted))
    except Conflict as problem:
        if problem.code in CHANGED:
            return _ask_anew(quote_id)
        return _price(quote_id, refusal_of(problem))
    return go(url_for("orders.order", order_id=answer["order_id"]))


@pages.post("/quotes/<quote_id>/again")
def ask_again(quote_id: str) -> Response:
    """Ask the price of the same services anew."""
    return _ask_anew(quote_id)


def _same_run(work: Work, offering: OfferingView, document: Mapping[str, Any]) -> UUID | None:
    """Return a finished run of the park that had the same input: the park is told before it pays again."""
    if offering.delivery != "twin":
        return None
    return estimates.estimate_twin(work, offering=offering.slug, request=document).run.identical_run_id


def _place_order(work: Work, wanted: Mapping[str, str]) -> dict[str, Any]:
    method = PaymentMethod.WALLET if wanted["payment_method"] == PaymentMethod.WALLET else PaymentMethod.INVOICE
    order = checkout.place_order(work, quote_id=id_of(wanted["quote_id"]), payment_method=method)
    return {"order_id": str(order.id)}


def _ask_anew(quote_id: str) -> Response:
    try:
        with page_work() as work:
            old = quotes.read_quote(work, quote_id=id_of(quote_id))
            wishes = [checkout.LineWish(line.offering, line.request) for line in old.lines]
            may_order = work.actor.may(Permission.PLACE_ORDER)
            new = checkout.ask_quote(work, lines=wishes, contract_no=old.contract_no, hold_slots=may_order)
    except Problem as problem:
        return _price(quote_id, refusal_of(problem))
    return go(url_for("ordering.price", quote_id=new.id, was=old.id))


def _price(quote_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        quote = quotes.read_quote(work, quote_id=id_of(quote_id))
        explained = quotes.explain_quote(work, quote_id=quote.id)
        know_services(work)
        was = request.args.get("was")
        old = quotes.read_quote(work, quote_id=id_of(was)) if was else None
        may_read = work.actor.may(Permission.READ_WALLET)
        exceeded = checkout.exceeded_budgets(work, quote_id=quote.id)
        slugs = {slug for line in quote.lines for award in line.awards for slug in award.by_fund}
        fund_names = funds.name_funds(work, slugs=slugs)
        again = {line.repeats for line in quote.lines if line.repeats}
        originals = orders.orders_of_runs(work, run_ids=again) if work.actor.may(Permission.READ_ORDER) else {}
        wallet = wallets.read_wallet(work, park_id=work.actor.require_tenant()) if may_read else None
        held = _held(work, quote) if work.actor.may(Permission.READ_ORDER) else {}
    return show(
        "ordering/price.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        quote=quote,
        told=tuple(tuple(tell(each) for each in line) for line in explained),
        old=old,
        wallet=wallet,
        originals=originals,
        exceeded=exceeded,
        fund_names=fund_names,
        held=held,
        now=current_market().clock.now(),
        same=parse_id(request.args.get("same", "")),
        expired=quote.expires_at <= current_market().clock.now(),
        key=f"quote:{quote.id}",
    )


def _held(work: Work, quote: quotes.QuoteView) -> dict[int, slot_holds.HoldView]:
    """Return what the park holds of a quote's lines, by their position."""
    held = {(str(each.instrument_id), each.starts_at): each for each in slot_holds.list_holds(work)}
    return {
        position: held[key]
        for position, line in enumerate(quote.lines)
        if (at := line.request.get("starts_at"))
        and (key := (str(line.request["instrument_id"]), datetime.fromisoformat(at))) in held
    }


def _form(
    slug: str,
    refusal: Refusal | None,
    typed: Mapping[str, Any],
    *,
    found: estimates.Estimate | None = None,
    suggested: Sequence[briefs.IndustrySuggestion] | None = None,
) -> Response:
    with page_work() as work:
        item = shop.read_shop_item(work, slug=slug)
        context = _choices(work, item.offering)
    status = 200 if refusal is None else refusal.status
    return show(
        f"ordering/{'site_month' if item.offering.delivery.by_month else item.offering.delivery.value}.html",
        status=status,
        refusal=refusal,
        rows=_rows(refusal),
        item=item,
        typed=typed,
        estimate=found,
        suggested=suggested,
        most_mib=current_market().settings.max_upload_mib,
        **context,
    )


def _choices(work: Work, offering: OfferingView) -> dict[str, Any]:
    """Return what a form lets choose from."""
    if offering.delivery in {"twin", "schedule"}:
        uploads = artefacts.list_artefacts(work, source_id=None) if work.actor.may(Permission.READ_ORDER) else ()
        return {
            "uploads": tuple(reversed(uploads))[:10],
            "process_rows": range(1, ROWS + 1),
            "cities": climate_cities(),
            "prices": demo_prices(),
            "demand_price": demo_demand_price(),
        }
    if offering.delivery == "leads":
        park = onboarding.read_park(work, park_id=work.actor.require_tenant())
        return {"divisions": DIVISIONS, "park": park, **brief_choices()}
    if offering.delivery == "samples":
        earlier = parse_id(request.values.get("retest_of", ""))
        return {"earlier": sample_views.read_batch(work, batch_id=earlier) if earlier else None}
    if offering.delivery == "inspection":
        monday = monday_of(request.values.get("week"), work.now)
        week_end = monday + timedelta(days=7)
        chosen = parse_id(request.values.get("instrument", ""))
        slots = bookings.search_slots(
            work,
            offering=offering.slug,
            from_=monday,
            to=week_end,
            instrument_id=chosen,
            limit=MOST_SLOTS_SHOWN,
            waited=True,
        )
        offered = instruments.list_instruments(work, offering=offering.slug)
        ids = [each.id for each in offered]
        shown = [each for each in offered if chosen in {None, each.id}] if len(slots) < MOST_SLOTS_SHOWN else ()
        taken = slot_search.taken_slots(work, instruments=shown, from_=monday, to=week_end, free=slots)
        week = make_week((*slots, *taken), offered, monday, work.now)
        return {
            "week": week,
            "instrument": chosen,
            "attendance": attendance_rules.terms_in_force(work, instrument_ids=ids),
            "standings": qualifications.standings(work, instruments=offered),
            "takers": rebooking.list_users(work, offered=offered),
            "quotas": quotas.quotas_left(work, instrument_ids=ids, first=week.days[0], last=week.days[-1]),
        }
    return {
        "sites": sites.list_sites(work, open_only=True),
        "months": rentable_months(work.now),
        "chosen": request.values.getlist("site_id") or request.values.getlist("site"),
    }


def _request(work: Work, offering: OfferingView) -> dict[str, Any]:
    """Return the request document that the form says."""
    if offering.delivery == "twin":
        return _load(work)
    if offering.delivery == "schedule":
        return schedule_request(_load(work))
    if offering.delivery == "leads":
        return brief_request()
    if offering.delivery == "inspection":
        instrument_id, _, starts_at = field("slot").partition("@")
        slots = _whole(field("slots") or "1")
        moment = starts_at or None
        asked = {"instrument_id": instrument_id, "starts_at": moment, "slots": slots, "purpose": field("purpose")}
        return asked | ({"responsible_id": field("responsible_id")} if field("responsible_id") else {})
    if offering.delivery == "samples":
        return _samples()
    return {}


def _samples() -> dict[str, Any]:
    """Return the samples that the form lists, one a line with what it is of after a semicolon, and the tests."""
    rows = [re.split("[;；]", row, maxsplit=1) for row in field("samples").splitlines() if row.strip()]
    samples = [{"name": row[0], "material": row[1] if len(row) > 1 else ""} for row in rows]
    tests = [row for row in field("tests").splitlines() if row.strip()]
    return {"samples": samples, "tests": tests, "retest_of": field("retest_of") or None, "reason": field("reason")}


def _site_months() -> list[dict[str, Any]]:
    """Return a request for each site that the form names; Invalid when it names none."""
    months = _whole(field("months") or "1") if field("renew") == "months" else None
    when = {"month": field("month") or None, "months": months}
    chosen = request.form.getlist("site_id")
    if not chosen:
        wrong = msg("请至少选择一个站点。")
        raise Invalid("site.none_chosen", wrong, errors=[FieldError("site_id", "site.none_chosen", wrong)])
    return [{"site_id": site_id, **when} for site_id in chosen]


def _load(work: Work) -> dict[str, Any]:
    """Return which load is meant: the demo's data, a file sent before, or the file that came with the form."""
    if field("data") == "model":
        return _model(work)
    if field("data") != "file":
        return {"demo": True}
    asked: dict[str, Any] = {"artefact_id": _kept(work, "load", "text/csv") or field("artefact_id") or None}
    weather_id = _kept(work, "weather_file", "text/plain") or field("weather_id")
    if weather_id:
        asked |= {"files": {WEATHER_FILE: weather_id}, "site": {"weather": {"epw": WEATHER_FILE}}}
    elif field("weather"):
        asked["site"] = {"weather": {"city": field("weather")}}
    return asked


def _model(work: Work) -> dict[str, Any]:
    """Return the request that the form's model file means; on a form that is sent again, the one read before."""
    sent = request.files.get("model")
    if sent is not None and sent.filename:
        limit = current_market().settings.max_upload_mib * MIB
        return twin_models.park_of_model(work, name=sent.filename, content=sent.stream.read(limit + 1))
    wrong = msg("请选择 AASX 或 park.json 文件。")
    raise Invalid("model.missing", wrong, errors=[FieldError("file", "model.missing", wrong)])


def _kept(work: Work, name: str, media_type: str) -> str | None:
    """Keep the form's file ``name`` and return its id; None when none came."""
    sent = request.files.get(name)
    if sent is None or not sent.filename:
        return None
    limit = current_market().settings.max_upload_mib * MIB
    kept = artefacts.upload(
        work, name=sent.filename, media_type=media_type, content=sent.stream.read(limit + 1), most_bytes=limit
    )
    return str(kept.id)


def _whole(text: str) -> int | str:
    """Return a whole number, or the text as it is, for the use case to refuse."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,12}", text) else text


def _place(path: str) -> str | None:
    """Return the form's field for a path of the request; rows of a file are listed by themselves."""
    if _ROW.search(path):
        return None
    if (place := schedule_place(path) or brief_place(path)) is not None:
        return place
    rest = path.rpartition("request")[2].lstrip(".")
    name = re.split(r"[.\[]", rest, maxsplit=1)[0]
    if name in {"file", "park"}:
        return "model"
    if name in {"site", "artefact_id", "content", ""} or path == "content":
        return "load"
    return "slot" if name in {"instrument_id", "starts_at"} else name


def _rows(refusal: Refusal | None) -> tuple[tuple[str, str, str], ...]:
    """Return (row, column, what is wrong) of a refused file, the first dozen."""
    if refusal is None:
        return ()
    found = []
    for path, text in refusal.others:
        match = _ROW.search(path)
        found.append((match[1], match[2], text) if match else ("—", path, text))
    return tuple(found[:MOST_ROWS])
