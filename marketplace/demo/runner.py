"""Running the story."""

from __future__ import annotations

from collections.abc import Callable

from marketplace.demo.scenes import Stage
from marketplace.demo.story import tell
from marketplace.demo.theatre import open_theatre


def run_story(say: Callable[[str], None] | None) -> Stage:
    """Tell the story on throw-away databases; ``say`` gets each line as it happens. Return what came of it."""
    stage = Stage(say=say)
    with open_theatre() as theatre:
        tell(stage, theatre)
    return stage
