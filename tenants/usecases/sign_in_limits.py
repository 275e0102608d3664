"""How often somebody may try to prove who they are: counted per account and per address, and refused above a limit.

A try is counted in a transaction of its own before anything is compared, so tries that come at once cannot pass
together; one that succeeded is given back. Accounts are counted whether they exist or not: the refusal tells nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from sqlalchemy import case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from tenants.kernel.context import Actor
from tenants.kernel.errors import TooMany
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work, WorkShop
from tenants.store.people import SignInAttempt

WINDOW = timedelta(minutes=15)
"""Counts begin anew this long after the first try of a row."""
ACCOUNT_TRIES = 10
ADDRESS_TRIES = 100
"""Whole offices share an address; a person mistypes less often than a program guesses."""
FORGOTTEN_AT_ONCE = 5_000


@dataclass(frozen=True)
class Attempt:
    """Who wants to be let in, and from where. ``kind`` keeps people's logins and programs' ids apart."""

    kind: str
    account: str
    address: str

    def limits(self) -> dict[str, int]:
        """Return the most tries of each subject; subjects are hashes, in the order in which rows are locked."""
        return {
            f"address:{_hash(self.address)}": ADDRESS_TRIES,
            f"{self.kind}:{_hash(self.account)}": ACCOUNT_TRIES,
        }


def take_attempt(work: Work, attempt: Attempt) -> None:
    """Count a try before it is made; TooMany ``auth.too_many`` when its account or address has none left.

    The refusal says in how many minutes there are some again. A try that is refused is not counted.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    for subject, most in attempt.limits().items():
        over = SignInAttempt.since <= work.now - WINDOW
        first = insert(SignInAttempt).values(subject=subject, tries=1, since=work.now)
        counted = first.on_conflict_do_update(
            index_elements=[SignInAttempt.subject],
            set_={
                "tries": case((over, 1), else_=SignInAttempt.tries + 1),
                "since": case((over, work.now), else_=SignInAttempt.since),
            },
            where=over | (SignInAttempt.tries < most),
        ).returning(SignInAttempt.tries)
        if work.session.execute(counted).scalar_one_or_none() is None:
            raise _refusal(work, subject)


def give_back(work: Work, attempt: Attempt) -> None:
    """Let a try that succeeded not count, and its account begin anew."""
    work.actor.require(Permission.RUN_PLATFORM)
    address, account = attempt.limits()
    left: Mapping[str, object] = {address: func.greatest(SignInAttempt.tries - 1, 0), account: 0}
    for subject, tries in left.items():
        work.session.execute(update(SignInAttempt).where(SignInAttempt.subject == subject).values(tries=tries))


@contextmanager
def proving(workshop: WorkShop, actor: Actor, attempt: Attempt) -> Iterator[Work]:
    """Open a unit of work in which somebody proves who they are, for every door; TooMany after too many tries.

    The try is committed before, so that a refusal does not undo its count; it is given back if the block ends well.
    """
    with workshop.work(actor) as work:
        take_attempt(work, attempt)
    with workshop.work(actor) as work:
        yield work
        give_back(work, attempt)


def forget_attempts(work: Work) -> int:
    """Delete some counts that no longer hold anybody up; return how many there were."""
    work.actor.require(Permission.RUN_PLATFORM)
    values = {"before": work.now - WINDOW, "most": FORGOTTEN_AT_ONCE}
    forget = text("SELECT forget_sign_in_attempts(:before, :most)")
    return int(work.session.execute(forget, values).scalar_one())


def _refusal(work: Work, subject: str) -> TooMany:
    since = work.session.execute(select(SignInAttempt.since).where(SignInAttempt.subject == subject)).scalar_one()
    seconds = max(1, ceil((since + WINDOW - work.now).total_seconds()))
    return TooMany(
        "auth.too_many",
        msg(
            "尝试次数过多，已暂停登录。请在 {minutes} 分钟后重试；忘记密码请联系本单位管理员。",
            minutes=ceil(seconds / 60),
        ),
        retry_after=seconds,
    )


def _hash(text_: str) -> str:
    return hashlib.sha256(text_.encode(errors="replace")).hexdigest()
