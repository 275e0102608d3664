"""What the demo's enterprises are matched with: three national policies as they are written, and invented local ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from marketplace.demo import world
from marketplace.demo.seeder import Seeder
from services.usecases import measures
from tenants.kernel.work import Work

FILE = Path(__file__).with_name("measures.json")


def lay_down(seeder: Seeder) -> None:
    """Let the operator enter each measure of the file."""
    operator = seeder.person("operator", world.PASSWORD)
    for document in json.loads(FILE.read_text(encoding="utf-8")):
        seeder.step(f"measure {document['slug']}", operator, partial(_save, document=document))


def _save(work: Work, *, document: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": measures.save_measure(work, measure=document).version}
