"""The same command twice is one command: a key, the hash of its input, and the first answer, kept with the work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import String, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written

KEY_LENGTH = 200
KEPT = timedelta(days=30)
"""How long a key is known at least. Nobody sends a command anew after that; as a new one it would be carried out."""
FORGOTTEN_AT_ONCE = 5_000


class IdempotencyKey(Base):
    """One command that was carried out, under the key its caller gave it."""

    __tablename__ = "idempotency_keys"
    __table_args__ = ({"info": {"shared": "staff use keys too; a row policy shows each owner its own"}},)

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    """The park acted for, else the acting person's organisation: keys of different owners never meet."""
    key: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True)
    command: Mapped[str] = mapped_column(String(64))
    input_hash: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(index=True)


def fingerprint(command: str, body: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical form of a command's input."""
    canonical = json.dumps([command, body], sort_keys=True, ensure_ascii=False, default=str, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def once(
    work: Work, key: str | None, command: str, body: Mapping[str, Any], carry_out: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Carry out a command once per key and return its answer, the first one again on a repeat.

    Two callers with one key meet at the unique key: the second waits until the first has committed (and gets its
    answer) or failed (and carries the command out itself). Without a key the command is simply carried out.
    Raises Invalid for an unusable key and Conflict when the key came with another input before.
    """
    if key is None:
        return carry_out()
    if not key.strip() or len(key) > KEY_LENGTH or not key.isprintable():
        raise Invalid("idempotency.bad_key", msg("幂等键须为 1 至 200 个可打印字符。请更换 Idempotency-Key。"))
    owner = work.actor.tenant_id or work.actor.organisation_id or work.actor.user_id
    if owner is None:
        return carry_out()
    digest = fingerprint(command, body)
    row = {
        "owner_id": owner,
        "key": key,
        "command": command,
        "input_hash": digest,
        "created_at": work.now,
    }
    claimed = rows_written(work.session, insert(IdempotencyKey).values(row).on_conflict_do_nothing())
    where = (IdempotencyKey.owner_id == owner, IdempotencyKey.key == key)
    if not claimed:
        before = work.session.execute(select(IdempotencyKey).where(*where)).scalar_one()
        if before.input_hash != digest:
            raise Conflict(
                "idempotency.key_reused",
                msg("幂等键 {key} 已用于另一请求。相同请求可原样重试;不同请求请换一个新的键。", key=key),
            )
        return dict(before.answer or {})
    answer = carry_out()
    stored = json.loads(json.dumps(answer, default=str, ensure_ascii=False))
    work.session.execute(IdempotencyKey.__table__.update().where(*where).values(answer=stored))  # type: ignore[attr-defined]
    return answer


def forget_keys(work: Work) -> int:
    """Delete some of the keys that are older than KEPT; return how many. A command that uses one now keeps it."""
    work.actor.require(Permission.RUN_PLATFORM)
    values = {"before": work.now - KEPT, "most": FORGOTTEN_AT_ONCE}
    forget = text("SELECT forget_idempotency_keys(:before, :most)")
    return int(work.session.execute(forget, values).scalar_one())
