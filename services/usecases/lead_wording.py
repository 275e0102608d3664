"""Letting a language model word the pitches of a lead list that an engine has made, where the operator has switched that on.

It runs in the worker, since the engine's sandbox has no network. The list is finished by then: whatever the endpoint does, the
run goes on with the template's words after the budget of seconds at the latest.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from services.gateways.language_model import LanguageModel, LanguageModelError
from services.gateways.lead_pitches import INSTRUCTION, may_stand, question, unheard_in, with_pitches
from services.gateways.leads import LeadsResult
from services.gateways.leads_documents import REPORT
from services.gateways.sandbox import Limits, run_limited
from tenants.kernel.errors import Problem

log = logging.getLogger(__name__)

MOST_FAULTS = 2
"""After so many calls in a row without an answer the endpoint is left alone for this run."""
RENDER_SECONDS = 60.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class PitchWriting:
    """What the operator has switched on: a model, and the seconds that a run may spend on it in all."""

    model: LanguageModel
    seconds: float = 60.0


Registered = Callable[[frozenset[str]], frozenset[str]]


def _nobody(_said: frozenset[str]) -> frozenset[str]:
    """Know no company."""
    return frozenset()


class PitchWriter:
    """Words the pitches of one run. A list that is made again finds the budget as the one before left it."""

    def __init__(self, writing: PitchWriting) -> None:
        self._model = writing.model
        self._left = writing.seconds

    def reword(
        self, result: LeadsResult, *, limits: Limits, cancelled: Callable[[], bool], registered: Registered = _nobody
    ) -> LeadsResult:
        """Return the list with those pitches in the model's words that say nothing new; as it is where there are none.

        ``registered`` tells which pieces of a text are names of companies of the registry.
        """
        talk = _Talk(self._model, json.loads(result.files[REPORT])["leads"], time.monotonic() + self._left)
        begun = time.monotonic()
        pitches = talk.without(registered, talk.hold(cancelled))
        self._left -= time.monotonic() - begun
        log.info("language model: %d pitches reworded, %d refused, %s", len(pitches), talk.refused, talk.end)
        if not pitches:
            return result
        brief = replace(limits, wall_seconds=min(limits.wall_seconds, RENDER_SECONDS))
        try:
            files = run_limited(with_pitches, result.files, pitches, self._model.name, limits=brief).value
        except Problem as problem:
            log.warning("language model: the files could not be made again (%s)", problem.code)
            return result
        return replace(result, files=files, kpis={**result.kpis, "model_pitches": len(pitches)})


class _Talk:
    """The conversation with an endpoint, in a thread that is left behind when it takes too long."""

    def __init__(self, model: LanguageModel, leads: list[dict[str, Any]], ends_at: float) -> None:
        self.refused = 0
        self.end = "out of time"
        self._model, self._leads, self._ends_at = model, leads, ends_at
        self._names = frozenset(lead["name"] for lead in leads)
        self._pitches: dict[int, str] = {}
        self._lock, self._stop = threading.Lock(), threading.Event()

    def hold(self, cancelled: Callable[[], bool]) -> dict[int, str]:
        """Ask for every pitch until all are asked, time is over or the run is no longer wanted."""
        thread = threading.Thread(target=self._ask_all, name="language-model", daemon=True)
        thread.start()
        try:
            while thread.is_alive() and time.monotonic() < self._ends_at and not cancelled():
                thread.join(_POLL_SECONDS)
        finally:
            self._stop.set()
        with self._lock:
            return dict(self._pitches)

    def without(self, registered: Registered, pitches: dict[int, str]) -> dict[int, str]:
        """Return the pitches that name no company of the registry which their lead's sentences do not."""
        said = {at: unheard_in(text, self._leads[at]) for at, text in pitches.items()}
        named = registered(frozenset().union(*said.values())) if said else frozenset()
        kept = {at: text for at, text in pitches.items() if not said[at] & named}
        self.refused += len(pitches) - len(kept)
        return kept

    def _ask_all(self) -> None:
        faults = 0
        for at, lead in enumerate(self._leads):
            if self._stop.is_set():
                return
            try:
                answer = self._model.complete(INSTRUCTION, question(lead), seconds=self._ends_at - time.monotonic())
            except LanguageModelError as fault:
                faults += 1
                if faults == MOST_FAULTS:
                    self.end = str(fault)
                    return
                continue
            faults = 0
            self._take(at, may_stand(answer, lead, self._names))
        self.end = "all asked"

    def _take(self, at: int, text: str | None) -> None:
        with self._lock:
            if text is None:
                self.refused += 1
            elif not self._stop.is_set():
                self._pitches[at] = text
