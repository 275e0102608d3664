"""Models of a park in other formats: AASX in and out, FMUs by their description only."""

from __future__ import annotations

from typing import Any

from flask import Response
from pydantic import Field

from marketplace.api.artefacts import download, sent_file
from marketplace.api.calls import call, file_body, noun, show
from marketplace.api.fields import Answer, ById, Document, Parameters
from marketplace.doors.identity import bearer_actor, working
from marketplace.doors.requests import takes_files
from services.usecases import twin_models as use_cases

twin_models = noun("twin_models", "Models of a park: Asset Administration Shells, and descriptions of FMUs.")

PACKAGE = "application/asset-administration-shell-package"
MODEL_BODY: dict[str, Any] = file_body("application/octet-stream", PACKAGE)


class ModelParameters(Parameters):
    """The file's name, when the body is the file itself; its ending says what it is."""

    name: str | None = Field(None, max_length=200)


class Shell(Answer):
    """What an AASX holds, by short names."""

    shells: list[str]
    submodels: list[str]
    files: list[str]


class FmuVariable(Answer):
    """A variable of an FMU."""

    name: str
    causality: str
    unit: str
    description: str


class Fmu(Answer):
    """What an FMU says of itself. It is never run: its native code would run with the platform's rights."""

    model_name: str
    fmi_version: str
    generation_tool: str
    kinds: list[str]
    platforms: list[str]
    variables: list[FmuVariable]
    variables_in_all: int


class Model(Answer):
    """A model file; ``request`` orders a twin run of the park in it, null where there is none."""

    shell: Shell | None
    unit: Fmu | None
    request: Document | None


@twin_models.post("/twin-models", **call(Model), **MODEL_BODY)
@takes_files
def read_model(query: ModelParameters) -> Response:  # noqa: ARG001 - documented here, read with the file
    """Read an AASX, an FMU or a park.json; files that a park's document names are kept as uploads."""
    bearer_actor()
    sent = sent_file()
    with working() as work:
        return show(Model.of(use_cases.read_model(work, name=sent.name, content=sent.content)))


@twin_models.get("/runs/<id>.aasx", **call(files=[PACKAGE]))
def export_run(path: ById) -> Response:
    """Download a twin run as an Asset Administration Shell: the park, its files and the figures."""
    with working() as work:
        content = use_cases.export_run(work, run_id=path.id)
    return download(f"twin-{path.id}.aasx", PACKAGE, content)
