"""Evidence: kept as it came, once per content, and shown to nobody else's park."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from billing.usecases import evidence
from billing.usecases.evidence import Upload
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Invalid, NotFound, TooLarge
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop

CONTRACT = Upload("合同.pdf", "application/pdf", b"%PDF-1.7 contract")


def park() -> Actor:
    return system_actor("test", tenant_id=new_id())


def keep(workshop: WorkShop, actor: Actor, file: Upload = CONTRACT) -> evidence.EvidenceView:
    with workshop.work(actor) as work:
        return evidence.keep(work, actor.require_tenant(), file)


def test_a_file_is_kept_as_it_came_and_once(workshop: WorkShop) -> None:
    actor = park()
    first = keep(workshop, actor)
    again = keep(workshop, actor, Upload("copy.pdf", "text/plain", CONTRACT.content))
    assert first == again
    assert first.sha256 == hashlib.sha256(CONTRACT.content).hexdigest()
    with workshop.work(actor) as work:
        assert evidence.open_evidence(work, evidence_id=first.id).content == CONTRACT.content


def test_another_park_does_not_find_it_and_keeps_its_own(workshop: WorkShop) -> None:
    mine, theirs = park(), park()
    kept = keep(workshop, mine)
    with pytest.raises(NotFound), workshop.work(theirs) as work:
        evidence.open_evidence(work, evidence_id=kept.id)
    assert keep(workshop, theirs).id != kept.id


@pytest.mark.parametrize(
    ("content", "refused"), [(b"", Invalid), (b"x" * (evidence.MOST_BYTES + 1), TooLarge)], ids=["empty", "huge"]
)
def test_an_unusable_file_is_refused_at_its_field(
    workshop: WorkShop, content: bytes, refused: type[Invalid | TooLarge]
) -> None:
    actor = park()
    with pytest.raises(refused) as raised, workshop.work(actor) as work:
        evidence.keep(work, actor.require_tenant(), Upload("a", "text/plain", content), field="files[0]")
    assert [error.field for error in raised.value.errors] == ["files[0]"]


def test_evidence_is_never_changed(workshop: WorkShop) -> None:
    actor = park()
    keep(workshop, actor)
    with pytest.raises(ProgrammingError, match="permission denied"), workshop.work(actor) as work:
        work.session.execute(text("UPDATE evidence_files SET name = 'other'"))
