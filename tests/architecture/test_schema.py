"""The schema keeps its promises: tenants are apart, keys can be distributed, references point where imports may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, Table, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapper

from infra.postgres import Server
from marketplace import tables
from marketplace.settings import home
from migrations.apply import newest_revision, upgrade
from tenants.kernel.database import Base, TenantOwned, connect
from tests.support.crashes import CrashError, before_statement
from tests.support.databases import Database

PACKAGES = ("tenants", "services", "billing", "marketplace")
MAY_POINT_TO = {
    "tenants": {"tenants"},
    "services": {"services", "tenants"},
    "billing": {"billing", "tenants"},
    "marketplace": set(PACKAGES),
}
SHARED_BY_OWNER = {
    "reservations",
    "instruments",
    "instrument_versions",
    "attendance_rules",
    "quota_rules",
    "waiting_lists",
    "waiting_turns",
}
"""Shared tables that are distributed by their owner instead of being copied everywhere."""
AMONG_PARTIES = {
    "joint_agreements", "joint_parties", "joint_accounts", "joint_uses", "joint_releases", "joint_true_ups",
    "joint_true_up_shares", "joint_centre_payments", "lead_places", "lead_claims", "company_switchboards", "withdrawn_companies",
}  # fmt: skip
"""Shared tables whose rows are shown to the parks that they are about, and to no other."""


def mappers() -> Iterator[Mapper[Any]]:
    """Every mapped class."""
    return iter(sorted(Base.registry.mappers, key=lambda mapper: mapper.class_.__tablename__))


def tenant_tables() -> dict[str, Table]:
    """The tables whose rows belong to one tenant."""
    found = (mapper for mapper in mappers() if issubclass(mapper.class_, TenantOwned))
    return {mapper.class_.__tablename__: mapper.class_.__table__ for mapper in found}


def package_of(table: Table) -> str:
    """The package that declares ``table``."""
    owner = next(mapper.class_ for mapper in mappers() if mapper.class_.__table__ is table)
    return owner.__module__.split(".", maxsplit=1)[0]


def test_no_store_is_left_out_of_the_metadata() -> None:
    """A clean-up of imports in tables.py would silently empty the tests below."""
    declared = {
        path
        for package in PACKAGES
        for path in (home() / package).rglob("*.py")
        if "__tablename__ =" in path.read_text(encoding="utf-8")
    }
    listed = {Path(str(module.__file__)) for module in tables.STORES}
    assert declared == listed
    assert len(tables.metadata.tables) == sum(
        path.read_text(encoding="utf-8").count("__tablename__ =") for path in declared
    )


def test_a_table_is_a_tenants_or_says_why_it_is_shared() -> None:
    """Nothing is shared by oversight."""
    owned = tenant_tables()
    silent = [
        name for name, table in tables.metadata.tables.items() if name not in owned and not table.info.get("shared")
    ]
    assert silent == []


def test_the_tenant_is_in_every_key_of_a_tenants_table() -> None:
    """Primary, unique, exclusion and foreign keys hold the tenant, so that the table can be distributed by it."""
    loose = []
    for name, table in tenant_tables().items():
        if next(iter(table.primary_key.columns)).name != "tenant_id":
            loose.append(f"{name}: the primary key does not begin with tenant_id")
        loose += [
            f"{name}: {constraint.name} is without tenant_id"
            for constraint in table.constraints
            if isinstance(constraint, UniqueConstraint | ExcludeConstraint) and "tenant_id" not in constraint.columns
        ]
        loose += [
            f"{name}: index {i.name} is without tenant_id"
            for i in table.indexes
            if i.unique and "tenant_id" not in i.columns
        ]
        for key in table.foreign_key_constraints:
            target = key.referred_table.name
            if target in SHARED_BY_OWNER:
                loose.append(f"{name}: {key.name} points to a table distributed by its owner")
            if target in tenant_tables() and "tenant_id" not in key.columns:
                loose.append(f"{name}: {key.name} leaves the tenant")
    assert loose == []


def test_foreign_keys_point_only_where_imports_may() -> None:
    """A foreign key written as a string slips past the import checks."""
    wrong = [
        f"{table.name}.{key.name} -> {key.referred_table.name}"
        for table in tables.metadata.tables.values()
        for key in table.foreign_key_constraints
        if package_of(key.referred_table) not in MAY_POINT_TO[package_of(table)]
    ]
    assert wrong == []


def test_money_is_whole_fen_and_time_is_aware() -> None:
    """A column named ``_fen`` is a bigint, and no column is a timestamp without its zone or a float."""
    wrong = []
    for table in tables.metadata.tables.values():
        for column in table.columns:
            kind = str(column.type).upper()
            if column.name.endswith("_fen") and kind != "BIGINT":
                wrong.append(f"{table.name}.{column.name} is {kind}")
            if "FLOAT" in kind or "DOUBLE" in kind:
                wrong.append(f"{table.name}.{column.name} is {kind}")
            if kind == "DATETIME" and not getattr(column.type.dialect_impl, "timezone", True):
                wrong.append(f"{table.name}.{column.name} has no zone")
    assert wrong == []


def test_row_security_is_forced_on_every_tenants_table(database: Database) -> None:
    """Even the owner of the table is held to the policies; both roles have one."""
    owner = database.owner()
    with owner.connect() as connection:
        forced = set(
            connection.execute(
                text("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relkind = 'r'")
            ).scalars()
        )
        policies = set(connection.execute(text("SELECT tablename || ':' || roles::text FROM pg_policies")).scalars())
    assert forced == set(tenant_tables()) | AMONG_PARTIES | SHARED_BY_OWNER
    for name in forced:
        assert f"{name}:{{marketplace_tenant}}" in policies
        assert f"{name}:{{marketplace_staff}}" in policies


def test_a_shared_table_with_rows_about_tenants_has_a_policy(database: Database) -> None:
    """A tenant or owner column without row security would show one park another's rows."""
    with database.owner().connect() as connection:
        open_tables = connection.execute(
            text(
                """
                SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'public' AND c.relkind = 'r' AND NOT c.relrowsecurity
                  AND has_table_privilege('marketplace_tenant', c.oid, 'SELECT')
                  AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
                              AND a.attname IN ('tenant_id', 'owner_id', 'organisation_id'))
                """
            )
        ).scalars()
        assert list(open_tables) == []


def test_no_role_of_the_application_can_bypass_row_security(database: Database) -> None:
    """Nor does any inherit rights, create roles or databases, or delete rows."""
    with database.owner().connect() as connection:
        strong = connection.execute(
            text(
                "SELECT rolname FROM pg_roles WHERE (rolname LIKE 'marketplace\\_%') "
                "AND (rolbypassrls OR rolsuper OR rolcreaterole OR rolcreatedb OR rolinherit)"
            )
        ).scalars()
        assert list(strong) == []
        deleting = connection.execute(
            text(
                "SELECT table_name FROM information_schema.role_table_grants WHERE privilege_type IN ('DELETE', 'TRUNCATE')"
                " AND grantee IN ('marketplace_tenant', 'marketplace_staff')"
            )
        ).scalars()
        assert list(deleting) == []


def test_tables_distributed_by_tenant_have_no_triggers(database: Database) -> None:
    """Citus runs none there; the books and registers that have some stay local."""
    with database.owner().connect() as connection:
        triggered = set(
            connection.execute(text("SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal")).scalars()
        )
    assert triggered & set(tenant_tables()) == set()


@pytest.mark.parametrize(
    "table",
    ["journals", "postings", "fund_entries", "audit_entries", "joint_uses", "joint_releases", "joint_true_up_shares"],
)
def test_a_register_refuses_change_even_to_its_owner(database: Database, table: str) -> None:
    """Rows are added and never changed."""
    with database.owner().connect() as connection:
        kinds = connection.execute(
            text("SELECT tgtype FROM pg_trigger WHERE tgrelid = CAST(:table AS regclass) AND tgname = 'append_only'"),
            {"table": table},
        ).scalars()
        before_row_update_delete = 1 | 2 | 8 | 16
        assert list(kinds) == [before_row_update_delete]


@pytest.mark.parametrize("statement", [40, 700])
def test_a_step_that_breaks_off_leaves_nothing(server: Server, statement: int) -> None:
    """As `marketplace migrate` connects: what was interrupted is done anew from its beginning."""

    def strike() -> None:
        raise CrashError

    engine = connect(server.create_database(f"broken_off_{statement}"), pool_size=1)
    try:
        with pytest.raises(CrashError), before_statement(engine, statement, strike):
            upgrade(engine)
        upgrade(engine)
        with engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
    finally:
        engine.dispose()
    assert found == [newest_revision()]


def test_migrations_and_models_agree(database: Database) -> None:
    """The schema that the steps make is the one the models describe."""
    config = Config(toml_file=str(home() / "pyproject.toml"))
    engine: Engine = database.owner()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.check(config)


def test_migrations_are_one_line() -> None:
    """No branch, one head."""
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(Config(toml_file=str(home() / "pyproject.toml")))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


def test_migrations_run_for_an_owner_that_is_no_superuser() -> None:
    """Such an owner may not take the roles it made: a step that must see rows lifts the force of row security."""
    for step in sorted((home() / "migrations" / "versions").glob("*.py")):
        assert "SET LOCAL ROLE" not in step.read_text(encoding="utf-8"), step.name
        assert "SET ROLE" not in step.read_text(encoding="utf-8"), step.name
