"""Writes infra/LICENCES.md: every package pinned for Python and for the front end with its licence.

Ends with an error when a package that runs in production has a licence that would bind the whole program.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_MODULES = _HERE.parent / "marketplace" / "web" / "frontend" / "node_modules"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", re.MULTILINE)
_BINDING = re.compile(r"(?<!L)(?<!Lesser )\bA?GPL|Affero|SSPL", re.IGNORECASE)
_LESSER = re.compile(r"LGPL|Lesser", re.IGNORECASE)

Row = tuple[str, str, str]


def main() -> int:
    """Write the list; 1 when a binding licence is among the packages of production."""
    runtime = _pinned("runtime.txt")
    python = _python_packages()
    frontend = _frontend_packages()
    sections = {
        "Python packages in production": [row for row in python if _plain(row[0]) in runtime],
        "Python packages for development": [row for row in python if _plain(row[0]) in _pinned("dev.txt") - runtime],
        "Front end (bundled into the pages, or builds them)": frontend,
    }
    text = "# Licences\n\nMade by `make licences`; do not edit.\n"
    for title, rows in sections.items():
        text += f"\n## {title}\n\n| package | version | licence |\n|---|---|---|\n"
        text += "".join(f"| {name} | {version} | {licence} |\n" for name, version, licence in rows)
    (_HERE / "LICENCES.md").write_text(text, encoding="utf-8")
    binding = [
        row
        for row in (*sections["Python packages in production"], *frontend)
        if _BINDING.search(row[2]) and not _LESSER.search(row[2])
    ]
    for name, version, licence in binding:
        print(f"{name} {version} binds the whole program: {licence}", file=sys.stderr)
    return 1 if binding else 0


def _pinned(file: str) -> set[str]:
    return {_plain(name) for name in _PINNED.findall((_HERE / "requirements" / file).read_text(encoding="utf-8"))}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _python_packages() -> list[Row]:
    command = [sys.executable, "-m", "piplicenses", "--format=json", "--with-system", "--from=mixed"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return sorted(
        ((row["Name"], row["Version"], _line(row["License"])) for row in json.loads(answer.stdout)),
        key=lambda row: _plain(row[0]),
    )


def _frontend_packages() -> list[Row]:
    files = [*_MODULES.glob("*/package.json"), *_MODULES.glob("@*/*/package.json")]
    packages = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    return sorted((row["name"], row["version"], _line(str(row.get("license", "?")))) for row in packages)


def _line(licence: str) -> str:
    """One short line: some packages put their whole licence text into the field."""
    first = licence.strip().splitlines()[0] if licence.strip() else "?"
    return (first if len(first) <= 100 else first[:97] + "…").replace("|", "/")


if __name__ == "__main__":
    sys.exit(main())
