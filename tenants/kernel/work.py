"""The unit of work: one transaction, one moment, one acting person, one tenant context.

A door opens it, calls one use case, and it commits at the end or undoes everything. Its first statement takes on the
database role of the actor and, for a tenant, names the tenant to row security with ``SET LOCAL``: both end with the
transaction, so the connection is clean for the next one even behind a transaction pooler. The login role itself may
read nothing, so a transaction that skipped this sees an error and no row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from tenants.kernel.clock import Clock
from tenants.kernel.context import Actor, Reach
from tenants.kernel.database import STAFF_ROLE, TENANT_ROLE, begin_as
from tenants.kernel.outbox import Event, Outbox


class Work:
    """What a use case works with. It never commits: the door that opened the work does."""

    def __init__(self, connection: Connection, actor: Actor, now: datetime, outbox: Outbox) -> None:
        self.connection = connection
        """The transaction's connection, for Core statements on hot paths."""
        self.actor = actor
        self.now = now
        self._outbox = outbox
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The transaction's session, made when it is first wanted: what needs none pays for none."""
        if self._session is None:
            self._session = Session(self.connection, expire_on_commit=False)
        return self._session

    @contextmanager
    def carried_out(self) -> Iterator[Work]:
        """Write what the session still holds when the block ends well, and let it go in any case."""
        try:
            yield self
            if self._session is not None:
                self._session.flush()
        finally:
            if self._session is not None:
                self._session.close()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what the block did, if it raises, and nothing of what was done before it."""
        with self.session.begin_nested():
            self.session.connection()  # sets the savepoint now: a statement on the connection alone would not
            yield

    def emit(self, event: Event) -> None:
        """Tell ``event`` to the jobs, if this work commits."""
        self._outbox.put(self.connection, event, actor_id=self.actor.user_id)


class WorkShop:
    """Opens units of work on one database, with one clock and one outbox."""

    def __init__(self, engine: Engine, clock: Clock, outbox: Outbox) -> None:
        self.engine = engine
        self.clock = clock
        self.outbox = outbox

    @contextmanager
    def work(self, actor: Actor) -> Iterator[Work]:
        """Open a transaction for ``actor``; commit it when the block ends well, undo it when it raises."""
        with self.engine.begin() as connection:
            begin_as(connection, enter_context(actor))
            with Work(connection, actor, self.clock.now(), self.outbox).carried_out() as work:
                yield work


@contextmanager
def read_only(work: Work) -> Iterator[None]:
    """Let nothing be written until the block ends: PostgreSQL refuses it. What the transaction does around it may write."""
    with work.savepoint():
        work.connection.exec_driver_sql("SET TRANSACTION READ ONLY")  # ends with the savepoint
        yield


def enter_context(actor: Actor) -> str:
    """Return the SQL that confines a transaction to what ``actor`` may see.

    ``SET`` takes no parameters; the only value in it is a UUID, whose text cannot carry SQL.
    """
    if actor.reach is Reach.STAFF:
        return f"SET LOCAL ROLE {STAFF_ROLE}"
    return f"SET LOCAL ROLE {TENANT_ROLE}; SET LOCAL app.tenant_id = '{actor.tenant_id}'"
