"""The one place that wires the system: settings, engine, clock, queue and the workshop made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event
from types import TracebackType
from typing import Self

import procrastinate
from sqlalchemy import Engine

from marketplace import tables
from marketplace.gateways.queue import QueueOutbox, queue_app
from marketplace.settings import Settings
from services.gateways.language_model import LanguageModel
from services.usecases.execution import RunLimits
from services.usecases.lead_wording import PitchWriting
from tenants.kernel.clock import Clock, SystemClock
from tenants.kernel.database import connect
from tenants.kernel.work import WorkShop


@dataclass(frozen=True)
class Marketplace:
    """A running installation."""

    settings: Settings
    engine: Engine
    clock: Clock
    queue: procrastinate.App
    workshop: WorkShop
    run_limits: RunLimits
    stopping: Event = field(default_factory=Event)
    """Set when this process is told to go: what takes long stops at the next chance and leaves its job to another."""
    pitch_writing: PitchWriting | None = None
    """Who may word the pitches of lead lists, where the operator has switched that on."""

    def close(self) -> None:
        """Give back the connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        """Use the installation for the length of a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()


def build(settings: Settings, *, clock: Clock | None = None) -> Marketplace:
    """Wire an installation from its settings. Nothing is connected yet."""
    tables.resolve()
    engine = connect(settings.database_url, pool_size=settings.database_pool)
    moment = clock or SystemClock()
    return Marketplace(
        settings=settings,
        engine=engine,
        clock=moment,
        queue=queue_app(settings.database_url),
        workshop=WorkShop(engine, moment, QueueOutbox()),
        run_limits=RunLimits(cpu_seconds=settings.run_minutes * 60, wall_seconds=settings.run_minutes * 60),
        pitch_writing=_pitch_writing(settings),
    )


def _pitch_writing(settings: Settings) -> PitchWriting | None:
    if not settings.pitch_model_url:
        return None
    model = LanguageModel(settings.pitch_model_url, settings.pitch_model_name, settings.pitch_model_key)
    return PitchWriting(model, settings.pitch_model_seconds)
