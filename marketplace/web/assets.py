"""Finds the built script and style sheet by the names that pages use (see frontend/README.md)."""

import json
from functools import lru_cache
from pathlib import Path

_DIST = Path(__file__).parent / "static" / "dist"


def asset(name: str) -> str:
    """Path below `static/` of a built file: "app.js" gives "dist/app.1A2B3C4D.js".

    Raises RuntimeError with the remedy when the front end has not been built.
    """
    try:
        return f"dist/{_manifest(_DIST)[name]}"
    except FileNotFoundError as error:
        raise RuntimeError("The front end has not been built: run `make frontend`.") from error
    except KeyError as error:
        raise RuntimeError(
            f"The front end has no file {name!r}: name it in build.mjs and run `make frontend`."
        ) from error


@lru_cache(maxsize=1)
def _manifest(folder: Path) -> dict[str, str]:
    names: dict[str, str] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return names
