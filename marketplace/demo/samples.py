"""Samples that a demo park has sent: one request reported, one in test."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from marketplace.demo import world
from marketplace.demo.seeder import Seeder
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import checkout, fulfilment
from services.rules.samples import CustodyStep
from services.usecases import sample_custody, sample_tests
from services.usecases.sample_custody import Handover
from tenants.kernel.context import system_actor
from tenants.kernel.work import Work

PARK = "park01"
OFFERING = "sample-testing"
RESULT = "样品,项目,结果,单位\n果汁 A 批,铅,0.01,mg/kg\n果汁 B 批,铅,0.02,mg/kg\n".encode()


def seed_samples(seeder: Seeder) -> None:
    """Send samples twice, and let the laboratory report the first."""
    admin, lab = seeder.person(PARK, world.PASSWORD), seeder.person("lab", world.PASSWORD)
    for key, reported in (("juice", True), ("water", False)):
        name = "果汁" if reported else "工艺用水"
        request = {
            "samples": [{"name": f"{name} {batch} 批", "material": name} for batch in "AB"],
            "tests": ["铅 GB 5009.12"],
        }

        def place(work: Work, request: dict[str, Any] = request) -> dict[str, Any]:
            quote = checkout.ask_quote(work, lines=[checkout.LineWish(OFFERING, request)])
            order = checkout.place_order(work, quote_id=quote.id, payment_method=PaymentMethod.INVOICE)
            batch = order.lines[0].samples
            assert batch is not None, "a line of samples has its test request"  # noqa: S101 - for the type checker
            sent = Handover(place="卢氏县", condition="冷藏密封")
            sample_custody.note_sent(work, batch_id=batch.id, step=CustodyStep.SENT, handover=sent)
            return {"id": str(batch.id)}

        batch_id = UUID(seeder.step(f"samples {key}", admin, place)["id"])

        def handle(work: Work, batch_id: UUID = batch_id, reported: bool = reported) -> dict[str, Any]:
            came = Handover(place="收样室", condition="完好，4 ℃")
            due = (work.now + timedelta(days=9)).date()
            sample_tests.receive_samples(work, batch_id=batch_id, handover=came, due_on=due)
            sample_tests.begin_test(work, batch_id=batch_id, handover=Handover(place="理化室"))
            if reported:
                sample_tests.report_samples(
                    work, batch_id=batch_id, file_name="检测报告.csv", content=RESULT, passed=True
                )
            return {}

        seeder.step(f"samples {key} handled", lab, handle)
        if reported:
            job = system_actor("seed", tenant_id=admin.tenant_id, on_behalf_of=admin.user_id)
            with seeder.workshop.work(job) as work:
                fulfilment.complete_samples(work, batch_id=batch_id)
