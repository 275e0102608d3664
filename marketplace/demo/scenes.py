"""What the story is told with: a stage that notes what happened and whether it was as it should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from billing.rules.money import format_yuan
from tenants.kernel.errors import Problem


@dataclass(frozen=True)
class Line:
    """One line of the story: who did what, what came of it, and whether that is what has to come of it."""

    scene: str
    what: str
    result: str
    held: bool


@dataclass
class Stage:
    """Notes the lines of a story and says them as they come."""

    say: Callable[[str], None] | None = None
    lines: list[Line] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    scene: str = ""

    def open(self, scene: str) -> None:
        """Begin a scene."""
        self.scene = scene
        if self.say is not None:
            self.say(f"\n{scene}")

    def note(self, what: str, result: object, *, held: bool = True) -> None:
        """Note what was done and what came of it."""
        line = Line(self.scene, what, str(result), held)
        self.lines.append(line)
        if self.say is not None:
            self.say(f"  {'✓' if held else '✗'} {_padded(what, 40)} {result}")

    def refused(self, what: str, code: str, attempt: Callable[[], object]) -> None:
        """Note that ``attempt`` is refused with ``code``, and with which words."""
        try:
            attempt()
        except Problem as problem:
            self.note(what, problem.message, held=problem.code == code)
        else:
            self.note(what, "没有被拒绝", held=False)

    @property
    def held(self) -> bool:
        """Tell whether every line came out as it has to."""
        return all(line.held for line in self.lines)

    def document(self) -> dict[str, Any]:
        """Return the story as JSON values."""
        return {"held": self.held, "lines": [asdict(line) for line in self.lines], "figures": self.figures}


def yuan(amount_fen: int) -> str:
    """Return an amount as people read it."""
    return f"{format_yuan(amount_fen)} 元"


def _padded(text: str, width: int) -> str:
    """Return ``text`` padded to ``width`` columns of a terminal, where a Chinese character takes two."""
    taken = sum(2 if ord(character) > 0x2E7F else 1 for character in text)
    return text + " " * max(0, width - taken)
