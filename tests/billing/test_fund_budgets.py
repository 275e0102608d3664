"""Funds that were filled before the books kept budgets."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from billing.usecases.invariants_funds import INVARIANTS_FUNDS
from infra.postgres import Server
from marketplace.settings import home
from tests.support.databases import fresh_database

OLD = """
    INSERT INTO funds (id, slug, name, name_en, year, status, created_at)
    VALUES (gen_random_uuid(), 'old', 'x', 'x', 2026, 'frozen', now()),
           (gen_random_uuid(), 'empty', 'x', 'x', 2026, 'open', now());
    INSERT INTO fund_envelopes SELECT id, '', 100, 100, 0, 0, 0, 0 FROM funds WHERE slug = 'old';
    INSERT INTO appropriations (id, fund_id, envelope, amount_fen, document_no, status, requested_by, requested_at,
                                approved_by, approved_at)
    SELECT gen_random_uuid(), id, '', part, '1', 'approved', gen_random_uuid(), now(), gen_random_uuid(), now()
    FROM funds CROSS JOIN (VALUES (30), (70)) AS parts (part) WHERE slug = 'old';
    """


def test_what_was_appropriated_before_gets_its_journals(server: Server) -> None:
    with fresh_database(server, "template1") as database, database.owner().connect() as connection:
        config = Config(toml_file=str(home() / "pyproject.toml"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
        connection.commit()
        connection.execute(text(OLD))
        connection.commit()
        command.upgrade(config, "head")
        connection.commit()
        sides = "SELECT account, side, sum(amount_fen) FROM postings GROUP BY account, side ORDER BY account"
        (fund, treasury) = connection.execute(text(sides)).all()
        assert (fund[0][:12], *fund[1:]) == ("budget:fund:", "debit", 100)
        assert tuple(treasury) == ("budget:treasury", "credit", 100)
        assert connection.execute(text("SELECT DISTINCT low_share_bp, low_days FROM funds")).all() == [(2000, 30)]
        for each in INVARIANTS_FUNDS:
            assert connection.execute(text(each.sql)).all() == [], each.name
