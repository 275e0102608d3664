"""Scores of a fitted ranker for the companies of one list, and the reasons that its own contributions give."""

from __future__ import annotations

from datetime import date

import numpy as np

from services.gateways.lead_model import Ranker
from services.rules.companies import Company, own_region
from services.rules.leads import Reason
from services.rules.ranking.history import FEATURES, THEMES, Floats, History, Ints, Pool
from services.rules.ranking.listing import best_first
from services.rules.ranking.measures import DEEP, Chance
from tenants.kernel.messages import Message, msg
from tenants.rules.regions import region_name

MOST_REASONS = 3
"""Reasons of the ranking that a lead is given, beside those that made it eligible."""
_USUAL = 2000
"""Leads whose mean is what a lead is compared with."""
LEAST_SHARE = 0.05
"""Of all that a lead's reasons add; what adds less is not told."""

Fact = tuple[Message, str, str, date]
"""A sentence, the field and the value it stands on, and as of when."""


class FittedScorer:
    """Scores the rows of ``pool``'s registry for a region on ``day``; ``rules.leads.Scorer`` says how it is used."""

    def __init__(self, pool: Pool, ranker: Ranker, region_code: str, day: date) -> None:
        where = pool.city_index(region_code)
        if where is None:  # build_pool was given another target
            raise LookupError(region_code)
        self.ranker, self._pool, self._where = ranker, pool, where
        self._region, self._day = region_code, day
        self._history = History(pool, day.toordinal())

    def scores(self, rows: Ints) -> Floats:
        """Return the score of each row, higher is better."""
        self._all = self.ranker.score(self._history, self._where, rows)
        found: Floats = self._all[rows]
        return found

    def chances(self, rows: Ints) -> list[Chance | None]:
        """Return what the back-test says of companies that stand where each of these stands among all of the registry."""
        everyone = self._all
        head = np.sort(everyone[best_first(everyone, DEEP)])
        above = len(head) - np.searchsorted(head, everyone[rows], side="right")
        return [
            next((each for each in self.ranker.chances if each.first <= rank <= each.last), None)
            for rank in (above + 1).tolist()
        ]

    def reasons(self, rows: Ints) -> list[tuple[Reason, ...]]:
        """Return, for each row, what raised its score most against the usual lead, strongest first."""
        # What is common to all that stand high is no reason for any of them.
        near = best_first(self._all, _USUAL)
        usual = self.ranker.contributions(self._history, near, self._where).mean(axis=0)
        added = self.ranker.contributions(self._history, rows, self._where) - usual
        return [
            self._of(self._pool.registry.company(row), row, parts)
            for row, parts in zip(rows.tolist(), added, strict=True)
        ]

    def _of(self, company: Company, number: int, added: Floats) -> tuple[Reason, ...]:
        by_theme: dict[str, float] = {}
        for name, part in zip(FEATURES, added.tolist(), strict=True):
            by_theme[THEMES[name]] = by_theme.get(THEMES[name], 0.0) + part
        whole = sum(part for part in by_theme.values() if part > 0)
        told: list[Reason] = []
        for theme, part in sorted(by_theme.items(), key=lambda item: (-item[1], item[0])):
            fact = self._fact(theme, company, number) if part > LEAST_SHARE * whole else None
            if fact is not None and len(told) < MOST_REASONS:
                text, field, value, as_of = fact
                told.append(Reason(theme, text, field, value, as_of, round(part, 4)))
        return tuple(told)

    def _fact(self, theme: str, company: Company, number: int) -> Fact | None:
        """Return what stands behind a theme; None where the data has nothing to show."""
        if theme == "DISTANCE":
            far = round(self._history.kilometres(number, self._where))
            return msg("所在地与园区相距约 {km} 公里。", km=far), "region_code", company.region_code, company.as_of
        if theme == "SIZE" and company.capital_fen:
            wan = company.capital_fen // 1_000_000
            return msg("注册资本 {wan} 万元。", wan=wan), "capital", str(wan), company.as_of
        if theme == "AGE" and company.founded_on:
            founded = company.founded_on.isoformat()
            return msg("成立于 {date}。", date=founded), "founded_on", founded, company.as_of
        return self._counted(theme, company, number)

    def _counted(self, theme: str, company: Company, number: int) -> Fact | None:
        """Return what was counted of moves, as of the last one that is known."""
        history, target = self._history, _city(self._region)
        newest = date.fromordinal(self._newest) if self._newest else company.as_of
        if theme == "RECENT" and history.last[number] >= 0:
            on = date.fromordinal(int(history.last[number]))
            return msg("最近一次异地扩张在 {date}。", date=on.isoformat()), "events", on.isoformat(), on
        count, text = 0, None
        if theme == "EXPANSIONS" and (count := int(history.prior[number])):
            as_of = max(company.as_of, newest) if company.as_of <= self._day else newest
            return msg("登记有 {count} 次异地扩张。", count=count), "expansions", str(count), as_of
        if theme == "FLOW":
            count, origin = history.moves_to(self._pool.city[number], self._where), _city(company.region_code)
            text = msg("此前有 {count} 次从{origin}到{target}的扩张。", count=count, origin=origin, target=target)
        elif theme == "INDUSTRY_FLOW":
            count = history.trade_moves_to(self._pool.division[number], self._where)
            text = msg("此前有 {count} 次同行业企业扩张到{target}。", count=count, target=target)
        elif theme == "NETWORK":
            count = history.sites_near(number, self._where)
            text = msg("在园区所在省份已有 {count} 次扩张。", count=count)
        return (text, "events", str(count), newest) if count and text else None

    @property
    def _newest(self) -> int:
        """The day of the last move that is known; 0 without any."""
        return int(self._pool.moved_on[-1]) if len(self._pool.moved_on) else 0


def _city(region_code: str) -> str:
    return region_name(own_region(region_code).ljust(6, "0"))
