"""The main job, told by the console on throw-away databases with a real worker and a real kill."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from marketplace.cli import main


@pytest.mark.timeout(600)  # a throw-away database each for two provinces, and real engines
def test_the_story_comes_out_as_it_has_to() -> None:
    """Every line of the story holds, and its figures are the ones people were promised."""
    told = CliRunner().invoke(main, ["demo", "--json"], catch_exceptions=False)
    story = json.loads(told.stdout)
    assert [line for line in story["lines"] if not line["held"]] == []
    assert told.exit_code == 0
    assert len(story["lines"]) > 25
    assert story["figures"]["order"] == {"gross_fen": 1_000_000, "subsidy_fen": 600_000}
    assert story["figures"]["invoice"]["payable_fen"] == story["figures"]["invoice"]["paid_fen"] > 0
