"""A year of a demo park's carbon: a rented month, a table of bills, certificates, a report and a path to a target.

The quantities are made up; the factors are not.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from marketplace.demo import world
from marketplace.demo.seeder import Seeder, derived
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import checkout
from services.rules.carbon.certificates import End, Origin
from services.usecases import carbon_certificates, carbon_imports, carbon_paths, carbon_reports, sites
from services.usecases.carbon_certificates import CertificateWish
from services.usecases.sites import SiteWish
from tenants.kernel.work import Work
from tenants.rules.days import add_months, local_day

PARK = "park01"
SITE = "食品加工一厂"
OFFERING = "zero-carbon"
_HEADER = "排放类别,活动,开始日期,结束日期,数量,单位,地区,备注"
_MWH = (560, 480, 520, 500, 540, 640, 760, 780, 620, 520, 520, 580)
_SUN = (38, 42, 58, 66, 74, 72, 70, 66, 54, 48, 38, 34)


def seed_carbon(seeder: Seeder) -> None:
    """Rent carbon monitoring for a site of the first park this month, and fill in the year before."""
    admin = seeder.person(PARK, world.PASSWORD)
    year = local_day(seeder.clock.now()).year - 1

    def place(work: Work) -> dict[str, Any]:
        site = sites.add_site(work, wish=SiteWish(SITE, "河南省三门峡市卢氏县", 34.05, 111.05, 18_000))
        wish = checkout.LineWish(OFFERING, {"site_id": str(site.id)})
        quote = checkout.ask_quote(work, lines=[wish])
        checkout.place_order(work, quote_id=quote.id, payment_method=PaymentMethod.INVOICE)
        return {"site": str(site.id)}

    site_id = UUID(seeder.step("carbon site", admin, place)["site"])

    def fill(work: Work) -> None:
        carbon_imports.import_records(
            work, site_id=site_id, name=f"{year} 年活动数据.csv", media_type="text/csv", content=bills(year).encode()
        )
        wishes = (
            ("GEC-DEMO-000001", Origin.PURCHASED, 900, "演示风电场", End.RETIRED),
            ("GEC-DEMO-000002", Origin.OWN_USED, 60, "本厂屋顶光伏", End.SOLD),
            ("GEC-DEMO-000003", Origin.PURCHASED, 300, "演示光伏电站", None),
        )
        for number, origin, mwh, project, end in wishes:
            wish = CertificateWish(number, origin, mwh, date(year, 6, 1), project)
            made = carbon_certificates.register_certificate(work, site_id=site_id, wish=wish)
            if end is not None:
                kept = year if end is End.RETIRED else None
                carbon_certificates.end_certificate(work, certificate_id=made.id, end=end, year=kept)

    seeder.step("carbon ledger", admin, fill)
    seeder.step(
        "carbon report", admin, lambda work: _id(carbon_reports.make_report(work, site_id=site_id, year=year).id)
    )
    seeder.step(
        "carbon plan", admin, lambda work: _id(carbon_paths.make_plan(work, site_id=site_id, plan=plan(year)).id)
    )


def bills(year: int) -> str:
    """Return a year's activities as the table that a park would fill in."""
    lines = [_HEADER]
    for month in range(1, 13):
        first = date(year, month, 1)
        last = add_months(first, 1, 1) - timedelta(days=1)
        span = f"{first},{last}"
        noise = derived(f"carbon {month}", 40)
        lines += [
            f"外购电力,电,{span},{_MWH[month - 1] + noise},MWh,41,电费单",
            f"自发自用绿电,电,{span},{_SUN[month - 1]},MWh,41,光伏表",
            f"化石燃料燃烧,天然气,{span},{5 + derived(f'gas {month}', 30) / 10},10^4Nm3,,燃气账单",
            f"移动源,柴油,{span},{2 + derived(f'diesel {month}', 15) / 10},t,,加油记录",
        ]
    lines.append(f"制冷剂,gas.r-410a,{year}-07-01,{year}-07-31,12,kg,,冷库补充")
    return "\n".join(lines) + "\n"


def plan(year: int) -> dict[str, Any]:
    """Return a wish for a path: measures and costs of the kind such a plant would list."""
    return {
        "base_year": year, "target_year": year + 10, "remaining_percent": "30", "even_steps": True,
        "discount_percent": "6",
        "measures": [
            {"key": "motors", "name": "高效电机与变频", "kind": "efficiency", "capex_yuan": "900000",
             "yearly_yuan": "-330000", "life_years": 10, "saved_kwh": "480000"},
            {"key": "heat", "name": "冷凝热回收", "kind": "efficiency", "capex_yuan": "600000", "yearly_yuan": "-190000",
             "life_years": 12, "fuel": "fuel.natural_gas", "saved_fuel": "90000"},
            {"key": "roof", "name": "屋顶光伏 1.5 MWp", "kind": "pv", "capex_yuan": "4500000", "yearly_yuan": "-960000",
             "life_years": 20, "saved_kwh": "1600000", "first_year": year + 2},
            {"key": "store", "name": "储能（多用光伏）", "kind": "storage", "capex_yuan": "1200000",
             "yearly_yuan": "-60000", "life_years": 12, "saved_kwh": "120000", "first_year": year + 2},
            {"key": "pump", "name": "工业热泵", "kind": "electrification", "capex_yuan": "3200000",
             "yearly_yuan": "-150000", "life_years": 15, "saved_kwh": "-900000", "fuel": "fuel.natural_gas",
             "saved_fuel": "420000", "first_year": year + 3},
            {"key": "gec", "name": "绿电绿证", "kind": "green_power", "yearly_yuan": "120000", "green_kwh": "4000000"},
            {"key": "ccer", "name": "核证减排量", "kind": "offset", "yearly_yuan": "160000", "offset_t": "2000"},
        ],
    }  # fmt: skip


def _id(made: UUID) -> dict[str, Any]:
    return {"id": str(made)}
