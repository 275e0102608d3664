"""Models through their doors: a shell out of a run, a run out of a shell, and an FMU that stays a description."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from uuid import UUID

from services.gateways.sandbox import Limits
from services.rules.demo_park import demo_park
from services.usecases import execution
from tenants.kernel.context import system_actor
from tests.services.test_twin_models import FMI_2, zipped
from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
RENT = "/rent/digital-twin-run"


def test_a_run_leaves_as_a_shell_and_a_shell_is_run_again(province: Province, signed_in: Enter) -> None:
    province.fund()
    caller = province.park()
    week = demo_park() | {"period": {"from": "2025-07-07", "to": "2025-07-10"}, "step_minutes": 60}
    week["scenarios"] = [{"name": "需量电价上调", "demand_factor": "1.2"}]
    week["processes"] = [
        {
            "name": "烧成窑",
            "kw": 150,
            "run_minutes": 180,
            "usual_start": "09:00",
            "window": {"from": "06:00", "to": "22:00"},
        }
    ]
    quote = caller.post("/quotes", {"lines": [{"offering": "digital-twin-run", "request": {"park": week}}]}).get_json()
    order = caller.post("/orders", {"quote_id": quote["id"], "payment_method": "invoice"}, key="once").get_json()
    run_id = order["lines"][0]["run"]["id"]
    early = caller.get(f"/runs/{run_id}.aasx")
    assert (early.status_code, early.get_json()["code"]) == (409, "model.no_result")
    tenant = UUID(caller.get("/me").get_json()["park"]["id"])
    execution.execute_run(
        province.workshop,
        system_actor("worker", tenant_id=tenant),
        run_id=UUID(run_id),
        limits=Limits(wall_seconds=120),
    )
    package = caller.get(f"/runs/{run_id}.aasx")
    assert package.status_code == 200, package.text
    assert zipfile.is_zipfile(io.BytesIO(package.data))
    assert province.park(2).get(f"/runs/{run_id}.aasx").status_code == 404
    read = caller.post("/twin-models?name=park.aasx", data=package.data, content_type="application/octet-stream")
    assert read.status_code == 200, read.text
    found = read.get_json()
    assert found["request"]["park"] == json.loads(json.dumps(week))
    assert set(found["shell"]["submodels"]) == {"EnergySystem", "TwinResults"}

    somebody = signed_in("admin1")
    form = somebody.get(RENT)
    assert "AASX" in form.text
    sent = {"data": "model", "model": (io.BytesIO(package.data), "park.aasx")}
    price = somebody.follow(somebody.post(RENT, sent, content_type="multipart/form-data"))
    assert "¥10,000.00" in price.text
    assert f'href="/runs/{run_id}"' in price.text, "the same input has been run: its result costs nothing"
    asked = {"offering": "digital-twin-run", "request": {"park": week}}
    assert caller.post("/twin-estimates", asked).get_json()["identical_run_id"] == run_id
    other = {"offering": "digital-twin-run", "request": {"park": week | {"seed": 7}}}
    assert caller.post("/twin-estimates", other).get_json()["identical_run_id"] is None
    assert province.park(3).post("/twin-estimates", asked).get_json()["identical_run_id"] is None, "another park's"
    page = somebody.get(f"/orders/{order['id']}").text
    assert f"/runs/{run_id}.aasx" in page
    assert somebody.get(f"/runs/{run_id}.aasx").data[:2] == b"PK"

    result = somebody.get(f"/runs/{run_id}")
    assert result.status_code == 200, result.text
    for part in (
        "能量流向",
        "电费构成",
        "净现值",
        "flows.json",
        "report.pdf",
        "series.csv",
        "需量电价上调",
        "烧成窑",
        "主要时段",
    ):
        assert part in result.text
    noon = somebody.get(f"/runs/{run_id}?scenario=as_is&month=2025-07&hour=12").text
    night = somebody.get(f"/runs/{run_id}?scenario=as_is&month=2025-07&hour=2").text
    assert "<td>自有发电</td>" in noon
    assert "<td>自有发电</td>" not in night, "the sun does not shine at two"
    assert signed_in("admin2").get(f"/runs/{run_id}").status_code == 404


def test_an_fmu_is_described_and_other_files_are_refused_at_their_field(province: Province, signed_in: Enter) -> None:
    caller = province.park()
    unit = zipped({"modelDescription.xml": FMI_2.encode(), "binaries/linux64/m.so": b"\x7fELF"})
    read = caller.post("/twin-models?name=chiller.fmu", data=unit, content_type="application/octet-stream").get_json()
    assert (read["unit"]["model_name"], read["unit"]["platforms"], read["request"]) == ("冷站", ["linux64"], None)
    strange = caller.post("/twin-models?name=x.exe", data=b"MZ", content_type="application/octet-stream")
    assert (strange.status_code, strange.get_json()["errors"][0]["field"]) == (422, "file")
    somebody = signed_in("admin1")
    somebody.get(RENT)
    for name, content in (("chiller.fmu", unit), ("park.json", b"{"), ("park.aasx", b"PK")):
        sent = {"data": "model", "model": (io.BytesIO(content), name)}
        refused = somebody.post(RENT, sent, content_type="multipart/form-data")
        assert refused.status_code == 422, name
        assert 'id="f-model"' in refused.text
    nothing = somebody.post(RENT, {"data": "model"}, content_type="multipart/form-data")
    assert 'id="e-model"' in nothing.text
