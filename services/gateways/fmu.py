"""Functional mock-up units (FMI 2 and 3): what their description says. They are never run here.

An FMU carries native code that runs as soon as it is loaded, with the rights of who loads it. So only
``modelDescription.xml`` is read; results that an FMU computed elsewhere come in as a series like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from services.gateways.packages import open_package, read_member, refuse_document_type
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg

DESCRIPTION = "modelDescription.xml"
MOST_VARIABLES = 500
_VARIABLES = {"Float32", "Float64", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Boolean",
              "String", "Binary", "Enumeration", "Clock"}  # fmt: skip
"""Elements of FMI 3's ModelVariables."""


@dataclass(frozen=True)
class Variable:
    """A variable of the model. ``causality`` is input, output, parameter, local or independent."""

    name: str
    causality: str
    unit: str
    description: str


@dataclass(frozen=True)
class FmuSummary:
    """What a model says of itself. ``platforms`` are the folders of native code, none of which is touched."""

    model_name: str
    fmi_version: str
    generation_tool: str
    kinds: tuple[str, ...]
    platforms: tuple[str, ...]
    variables: tuple[Variable, ...]
    variables_in_all: int


def read_fmu(content: bytes) -> FmuSummary:
    """Return an FMU's description. Raises Invalid for a package beyond the limits or without a readable description."""
    with open_package(content) as package:
        names = package.namelist()
        if DESCRIPTION not in names:
            raise Invalid("fmu.no_description", msg("FMU 中没有 modelDescription.xml。请重新导出。"))
        described = read_member(package, DESCRIPTION)
    refuse_document_type(described)
    try:
        root = ET.fromstring(described)  # noqa: S314 - a document type has been refused above, so there are no entities
    except ET.ParseError:
        raise Invalid("fmu.unreadable", msg("modelDescription.xml 不是有效的 XML。请重新导出。")) from None
    if root.tag != "fmiModelDescription":
        raise Invalid("fmu.unreadable", msg("modelDescription.xml 不是有效的 XML。请重新导出。"))
    found = [
        each for each in root.iterfind("ModelVariables/*") if each.tag == "ScalarVariable" or each.tag in _VARIABLES
    ]
    kinds = (kind for kind in ("CoSimulation", "ModelExchange", "ScheduledExecution") if root.find(kind) is not None)
    platforms = {name.split("/")[1] for name in names if name.startswith("binaries/") and name.count("/") >= 2}
    return FmuSummary(
        model_name=root.get("modelName", "")[:200],
        fmi_version=root.get("fmiVersion", "")[:20],
        generation_tool=root.get("generationTool", "")[:200],
        kinds=tuple(kinds),
        platforms=tuple(sorted(each[:40] for each in platforms)),
        variables=tuple(_variable(each) for each in found[:MOST_VARIABLES]),
        variables_in_all=len(found),
    )


def _variable(element: ET.Element) -> Variable:
    typed = element if element.tag != "ScalarVariable" else next(iter(element), element)
    return Variable(
        name=element.get("name", "")[:200],
        causality=element.get("causality", "local")[:20],
        unit=typed.get("unit", "")[:40],
        description=element.get("description", "")[:300],
    )
