"""What a twin run found, to look at: where the energy flows in any hour, what the bill is made of, what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response, request

from marketplace.web.charts import bill_chart, flow_chart
from marketplace.web.pages import id_of, page_group, page_work
from marketplace.web.rendering import show
from marketplace.web.words import FLOWS
from services.rules.catalogue import Delivery
from services.rules.positioning.statements import PART_NAMES, words_of
from services.rules.runs import RunStatus
from services.usecases import artefacts, runs
from services.usecases.company_withdrawals import withdrawn_since
from tenants.kernel.context import Reach
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.work import Work

pages = page_group("runs")

SCENARIOS = {"as_is": msg("现状"), "optimised": msg("优化运行"), "sized": msg("优化配置")}
BILL_PARTS = {
    "sharp": msg("尖段电费"),
    "peak": msg("峰段电费"),
    "flat": msg("平段电费"),
    "valley": msg("谷段电费"),
    "deep_valley": msg("深谷电费"),
    "demand": msg("需量电费"),
    "capacity": msg("容量电费"),
    "feed_in": msg("上网收入"),
}
PURPOSES = {"production": msg("生产"), "logistics": msg("物流"), "energy": msg("能源")}
FLOWS_FILE = "flows.json"
POSITIONING_FILE = "positioning.json"
SHOWN = 10
"""Industries that are shown, beside the wanted ones."""


@pages.get("/runs/<run_id>")
def run(run_id: str) -> Response:
    """Show a run's result. ``?scenario=&month=&hour=`` say which flows are drawn; without them the whole period's."""
    found_id = id_of(run_id)
    with page_work() as work:
        found = runs.read_run(work, run_id=found_id)
        if found.delivery == Delivery.LEADS and found.status is RunStatus.SUCCEEDED:
            return _leads(work, found)
        if found.delivery != Delivery.TWIN or found.status is not RunStatus.SUCCEEDED or found.kpis is None:
            raise NotFound("run.no_result", msg("该次计算没有可查看的推演结果。请从订单中打开。"))
        files = artefacts.list_artefacts(work, source_id=found_id)
        flows = _flows(work, found_id)
    asked = request.args
    scenario = asked.get("scenario") if asked.get("scenario") in SCENARIOS else "sized"
    months = [each["month"] for each in flows["scenarios"][scenario]["months"]] if flows else []
    month = asked.get("month", "") if asked.get("month") in months else ""
    hour = asked.get("hour", "") if asked.get("hour") in {str(each) for each in range(24)} and month else ""
    links = _links(flows["scenarios"][scenario], month, hour) if flows else []
    return show(
        "orders/run.html",
        run=found,
        kpis=found.kpis,
        files=files,
        scenarios=SCENARIOS,
        scenario=scenario,
        months=months,
        month=month,
        hour=hour,
        links=links,
        flow_chart=flow_chart(links, FLOWS) if links else None,
        bill_chart=bill_chart(found.kpis, SCENARIOS, BILL_PARTS),
        purposes=PURPOSES,
    )


def _leads(work: Work, found: runs.RunView) -> Response:
    """Show which industries suit the park and why; the sentences are made anew in the reader's language."""
    files = artefacts.list_artefacts(work, source_id=found.id)
    file = next((each for each in files if each.name == POSITIONING_FILE), None)
    if file is None:  # a run from before positionings were delivered
        raise NotFound("run.no_result", msg("该次计算没有可查看的推演结果。请从订单中打开。"))
    document = json.loads(artefacts.open_artefact(work, artefact_id=file.id).content)
    return show(
        "orders/positioning.html",
        withdrawn=withdrawn_since(work, run_id=found.id) if work.actor.reach is Reach.TENANT else (),
        run=found,
        files=files,
        found=document,
        part_names=PART_NAMES,
        told=lambda each: words_of(each["code"], each["values"]),
        best=[each for each in document["industries"] if each["rank"] <= SHOWN or each["preferred"]],
    )


def _flows(work: Work, run_id: UUID) -> dict[str, Any] | None:
    """Return the run's flows; None for a run from before they were delivered."""
    file = next((each for each in artefacts.list_artefacts(work, source_id=run_id) if each.name == FLOWS_FILE), None)
    if file is None:
        return None
    found: dict[str, Any] = json.loads(artefacts.open_artefact(work, artefact_id=file.id).content)
    return found


def _links(flows: Mapping[str, Any], month: str, hour: str) -> list[tuple[str, str, float]]:
    """Return (source, sink, kWh): of all, of a month's mean day, or of one hour of it."""
    if not month:
        return [(each["source"], each["sink"], each["kwh"]) for each in flows["links"]]
    day = next(each for each in flows["months"] if each["month"] == month)
    found = (
        (each["source"], each["sink"], each["hours"][int(hour)] if hour else sum(each["hours"]))
        for each in day["links"]
    )
    return [each for each in found if each[2] > 0]
