"""An answer before the order: is the input whole, how many steps has it, and what will the run take."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from services.gateways.twin import fingerprint
from services.rules.twin.effort import cpu_seconds
from services.rules.twin.inputs import TwinRequest
from services.usecases.runs import identical_run
from services.usecases.twin_alone import folder_opener, read_document
from services.usecases.twin_reading import read_request
from services.usecases.twin_requests import read_twin_request
from tenants.kernel.errors import FieldError, Invalid, Problem, TooLarge
from tenants.kernel.messages import Message
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

_ROW = re.compile(r"\.(?:csv|epw)\[(\d+)\]\.(\w+)$")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: its field, and in a file the row (1 is the first) and the column."""

    field: str
    row: int | None
    column: str | None
    code: str
    message: Message

    @classmethod
    def of(cls, error: FieldError) -> Fault:
        """Return a refused field with its place in a file, if it is in one."""
        match = _ROW.search(error.field)
        row, column = (int(match[1]), match[2]) if match else (None, None)
        return cls(error.field, row, column, error.code, error.message)


@dataclass(frozen=True)
class TwinEstimate:
    """What is known before a run; figures only of valid input. ``notes`` say what was filled in or estimated."""

    valid: bool
    errors: tuple[Fault, ...] = ()
    steps: int | None = None
    step_minutes: int | None = None
    cpu_seconds: float | None = None
    annual_kwh: float | None = None
    climate_estimated: bool = False
    notes: tuple[str, ...] = ()
    fingerprint: str | None = None
    """Hash of all that the answer would depend on."""
    identical_run_id: UUID | None = None
    """A finished run of the acting park with the same fingerprint: its files are the answer, and cost nothing."""


def estimate_run(work: Work, *, request: Mapping[str, Any]) -> TwinEstimate:
    """Look at a run as a park would order it."""
    work.actor.require(Permission.ASK_QUOTE)
    tenant_id = work.actor.require_tenant()
    found = _looked_at(lambda: read_twin_request(work, request, tenant_id=tenant_id)[1])
    if found.fingerprint is None:
        return found
    return replace(found, identical_run_id=identical_run(work, fingerprint=found.fingerprint))


def estimate_command(path: Path) -> TwinEstimate:
    """Look at a document and the files beside it, without a database."""
    return _looked_at(lambda: read_request(read_document(path), folder_opener(path.parent)))


def _looked_at(read: Callable[[], TwinRequest]) -> TwinEstimate:
    """Return figures, or every fault; what is no matter of the input is raised as ever."""
    try:
        request = read()
    except (Invalid, TooLarge) as problem:
        return TwinEstimate(valid=False, errors=_faults(problem))
    return TwinEstimate(
        valid=True,
        steps=request.horizon.steps,
        step_minutes=request.horizon.step_minutes,
        cpu_seconds=cpu_seconds(request),
        annual_kwh=round(float(request.load.kw.sum()) * request.horizon.hours, 3),
        climate_estimated=request.weather.estimated,
        notes=request.load.notes,
        fingerprint=fingerprint(request),
    )


def _faults(problem: Problem) -> tuple[Fault, ...]:
    errors = problem.errors or (FieldError("document", problem.code, problem.message),)
    return tuple(Fault.of(error) for error in errors)
