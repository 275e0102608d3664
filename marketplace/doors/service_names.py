"""Services by their names, for sentences that mention them: read once a request, in the reader's language."""

from __future__ import annotations

from flask import g

from marketplace.doors.language import reader_language
from marketplace.doors.texts import ENGLISH
from services.usecases import catalogue
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


def know_services(work: Work) -> None:
    """Read the services' names for the rest of the request, if the caller may see the catalogue.

    A page or call that explains subsidies does so in its own unit of work: sentences are put together afterwards.
    """
    if work.actor.may(Permission.READ_CATALOGUE):
        g.service_names = {each.slug: (each.name, each.name_en) for each in catalogue.list_offerings(work)}


def service_name(slug: str) -> str:
    """Return a service's name in the reader's language, or its slug when it is not known."""
    name, english = g.get("service_names", {}).get(slug, (slug, ""))
    return (english if reader_language() == ENGLISH else "") or name
