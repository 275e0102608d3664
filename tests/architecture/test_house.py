"""The house's rules on code: who may import whom is import-linter's; these are the others."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import fields
from functools import cache
from pathlib import Path

from marketplace.settings import Settings, home

PACKAGES = ("tenants", "services", "billing", "marketplace")


def use_cases() -> list[tuple[Path, ast.FunctionDef]]:
    """Every public function of a ``usecases`` room whose first parameter is the unit of work."""
    found = []
    for package in PACKAGES:
        for path in sorted((home() / package / "usecases").glob("*.py")):
            found += [
                (path, node)
                for node in ast.parse(path.read_text(encoding="utf-8")).body
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and takes_work(node)
            ]
    return found


def takes_work(node: ast.FunctionDef) -> bool:
    """Tell whether a function's first parameter is annotated ``Work``."""
    first = node.args.args[0] if node.args.args else None
    return first is not None and isinstance(first.annotation, ast.Name) and first.annotation.id == "Work"


def test_what_others_may_call_asks_for_its_permission_first() -> None:
    """The first statement after the docstring is ``work.actor.require(...)``.

    A step that use cases of one package share needs none, as each of them has asked; but then nobody else calls it.
    """
    cases = use_cases()
    assert len(cases) > 40
    open_doors = []
    for path, node in cases:
        body = node.body[1:] if ast.get_docstring(node) else node.body
        if not ast.unparse(body[0]).startswith("work.actor.require(") and called_from_outside(path, node.name):
            open_doors.append(f"{path.relative_to(home())}: {node.name}")
    assert open_doors == []


@cache
def sources() -> tuple[tuple[Path, str], ...]:
    """Every source file with its text, read once for all use cases."""
    return tuple(
        (path, path.read_text(encoding="utf-8")) for package in PACKAGES for path in (home() / package).rglob("*.py")
    )


def called_from_outside(path: Path, name: str) -> bool:
    """Tell whether a function of a use-case module is named anywhere outside its own package's use cases."""
    named = re.compile(rf"\b{path.stem}\.{name}\b|from [a-z.]*usecases\.{path.stem} import [^\n]*\b{name}\b")
    return any(name in text and named.search(text) for other, text in sources() if other.parent != path.parent)


def test_every_process_knows_every_table() -> None:
    """A process that wires the system resolves all foreign keys, whatever else it imports."""
    program = (
        "from marketplace import composition, settings\n"
        "given = {'DATABASE_URL': 'postgresql:///none', 'MARKETPLACE_MODE': 'demo'}\n"
        "composition.build(settings.Settings.from_environment(given)).close()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=home(), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_a_use_case_never_commits() -> None:
    """One transaction, committed at the edge only; a part of it is undone by the work's savepoint alone."""
    pattern = re.compile(r"\.(commit|rollback|begin_nested)\(\)")
    committing = [
        str(path.relative_to(home()))
        for package in PACKAGES
        for room in ("usecases", "store")
        for path in (home() / package / room).glob("*.py")
        if pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert committing == []


def test_only_the_kernel_knows_the_present_moment() -> None:
    """No other module asks the machine for the time or for randomness of its own."""
    pattern = re.compile(
        r"datetime\.(now|utcnow|today)\(|date\.today\(|time\.time\(\)|uuid4\(|\brandom\.(random|randint)\("
    )
    allowed = {"tenants/kernel/clock.py"}
    found = {
        str(path.relative_to(home()))
        for package in PACKAGES
        for path in (home() / package).rglob("*.py")
        if pattern.search(path.read_text(encoding="utf-8"))
    }
    assert found - allowed == set()


def test_every_setting_is_documented() -> None:
    """A setting that README.md does not name does not exist for its operator."""
    readme = (home() / "README.md").read_text(encoding="utf-8")
    names = {field.name.upper() for field in fields(Settings)} - {"MODE"} | {"MARKETPLACE_MODE"}
    assert {name for name in names if f"`{name}`" not in readme} == set()


def test_only_settings_reads_the_environment() -> None:
    """Configuration has one door."""
    pattern = re.compile(r"os\.(environ|getenv)")
    readers = {
        str(path.relative_to(home()))
        for package in PACKAGES
        for path in (home() / package).rglob("*.py")
        if pattern.search(path.read_text(encoding="utf-8"))
    }
    assert readers == {"marketplace/settings.py"}


def test_no_file_names_a_package_index_or_this_machine() -> None:
    """Pinned files carry hashes, not addresses."""
    pattern = re.compile(r"https?://[^\s\"']+/(simple|packages)/|registry\.npm|files\.pythonhosted")
    suspects = [
        path
        for folder in (*PACKAGES, "infra", "migrations")
        for path in (home() / folder).rglob("*")
        if path.is_file()
        and path.suffix in {".py", ".txt", ".json", ".toml", ".md", ".mjs"}
        and "node_modules" not in path.parts
        and "static" not in path.parts
    ]
    assert len(suspects) > 50
    named = [str(path.relative_to(home())) for path in suspects if pattern.search(path.read_text(encoding="utf-8"))]
    assert named == []
