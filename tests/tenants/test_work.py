"""The unit of work: who sees which rows, and that nothing works outside it."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, InternalError, ProgrammingError

from tenants.kernel.context import system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work, WorkShop, read_only

WALLET = text("INSERT INTO wallets (tenant_id, available_fen, held_fen, alert_below_fen) VALUES (:tenant, 0, 0, 0)")


def test_a_tenant_sees_its_own_rows_and_staff_see_all(workshop: WorkShop) -> None:
    """Row security shows each reach what it may see."""
    one, other = new_id(), new_id()
    for tenant in (one, other):
        with workshop.work(system_actor("test", tenant_id=tenant)) as work:
            work.session.execute(WALLET, {"tenant": tenant})
    with workshop.work(system_actor("test", tenant_id=one)) as work:
        assert work.session.execute(text("SELECT tenant_id FROM wallets")).scalars().all() == [one]
    with workshop.work(system_actor("test")) as work:
        assert work.session.execute(text("SELECT count(*) FROM wallets")).scalar_one() == 2


def test_a_tenant_cannot_write_a_row_of_another(workshop: WorkShop) -> None:
    """The policy checks what is written, too."""
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        workshop.work(system_actor("test", tenant_id=new_id())) as work,
    ):
        work.session.execute(WALLET, {"tenant": new_id()})


def test_a_transaction_outside_a_work_sees_nothing(engine: Engine) -> None:
    """The login itself has no right to any table."""
    with engine.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text("SELECT * FROM wallets"))


def test_the_context_ends_with_the_transaction(workshop: WorkShop, engine: Engine) -> None:
    """A connection that served a tenant comes back to the pool as nobody."""
    with workshop.work(system_actor("test", tenant_id=new_id())) as work:
        work.session.execute(text("SELECT 1"))
    with engine.connect() as connection:
        user, tenant = connection.execute(text("SELECT current_user, current_setting('app.tenant_id', true)")).one()
    assert user == "marketplace_test"
    assert not tenant


def _open_twice(work: Work, tenant: UUID) -> None:
    with work.savepoint():
        work.connection.execute(WALLET, {"tenant": tenant})
        work.session.execute(WALLET, {"tenant": tenant})


def test_a_savepoint_undoes_what_its_block_did_by_either_way_and_nothing_before(workshop: WorkShop) -> None:
    """What goes to the connection alone is undone like what goes through the session."""
    before, inside = new_id(), new_id()
    with workshop.work(system_actor("test")) as work:
        work.connection.execute(WALLET, {"tenant": before})
        with pytest.raises(IntegrityError):
            _open_twice(work, inside)
    with workshop.work(system_actor("test")) as work:
        assert work.connection.execute(text("SELECT tenant_id FROM wallets")).scalars().all() == [before]


def test_nothing_is_written_in_a_block_that_only_reads_and_all_after_it(workshop: WorkShop) -> None:
    """The refusal ends with the block, also where the block's first statement is on the connection alone."""
    tenant = new_id()
    with workshop.work(system_actor("test")) as work:
        with pytest.raises(InternalError, match="read-only"), read_only(work):
            work.connection.execute(WALLET, {"tenant": tenant})
        with read_only(work):
            work.connection.execute(text("SELECT 1"))
        work.connection.execute(WALLET, {"tenant": tenant})
    with workshop.work(system_actor("test")) as work:
        assert work.connection.execute(text("SELECT tenant_id FROM wallets")).scalars().all() == [tenant]
