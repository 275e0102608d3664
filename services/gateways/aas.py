"""The twin as an Asset Administration Shell: a park and its results as an AASX package (IDTA-01001, -01005), both ways.

A shell of the park has two submodels: ``EnergySystem`` is ``park.json`` as properties, and ``TwinResults`` the figures of a
run with its manifest's hash. ``park.json`` lies in the package as well, and is what an import takes; a package without it
is read from its properties. basyx-python-sdk writes and reads the packages; nothing of its types leaves this module.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from basyx.aas import model
from basyx.aas.adapter import aasx

from services.gateways.packages import check_xml, open_package, read_member
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg

PARK_FILE = "/aasx/park.json"
ATTACHMENTS = "/aasx/files/"
ENERGY_SYSTEM = "EnergySystem"
RESULTS = "TwinResults"
_ID = "urn:park-technology-marketplace:"
SEMANTIC = _ID + "submodel:energy-system:1"
LONGEST_LIST = 64
"""A longer list is a series; it stays in ``park.json`` and is no tree of properties."""
DEEPEST = 12
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*", re.ASCII)
_ARRAY = "array"


@dataclass(frozen=True)
class ShellSummary:
    """What a package holds: its shells and submodels by name, its files, and the park where it has one."""

    shells: tuple[str, ...]
    submodels: tuple[str, ...]
    files: tuple[str, ...]
    park: dict[str, Any] | None
    attachments: Mapping[str, bytes]
    """The files that belong to the park's document, by the names it gives them."""


def write_aasx(
    *,
    asset_id: str,
    name: str,
    park: Mapping[str, Any],
    attachments: Mapping[str, bytes],
    kpis: Mapping[str, Any] | None,
    manifest_sha256: str | None,
) -> bytes:
    """Return a package of a park with the files that its document names, and the figures of a run where there are any.

    ``attachments`` are named by ASCII letters, digits, dots, dashes and underscores, as parts of a package have to be.
    """
    files: Any = aasx.DictSupplementaryFileContainer()  # type: ignore[no-untyped-call]
    files.add_file(PARK_FILE, io.BytesIO(_json(park)), "application/json")
    for file_name, content in attachments.items():
        files.add_file(f"{ATTACHMENTS}{file_name}", io.BytesIO(content), "application/octet-stream")
    system = model.Submodel(
        id_=f"{_ID}{asset_id}:energy-system",
        id_short=ENERGY_SYSTEM,
        semantic_id=_reference(SEMANTIC),
        submodel_element=[
            model.File(id_short="ParkDocument", content_type="application/json", value=PARK_FILE),
            model.SubmodelElementCollection(
                "ParkFiles",
                [
                    model.File(f"file{i}", content_type="application/octet-stream", value=f"{ATTACHMENTS}{file_name}")
                    for i, file_name in enumerate(attachments)
                ],
            ),
            model.SubmodelElementCollection("Park", list(_elements(park, 0))),
        ],
    )
    submodels = [system]
    if kpis is not None:
        elements = list(_elements(kpis, 0))
        if manifest_sha256:
            elements.append(model.Property(id_short="manifestSha256", value_type=str, value=manifest_sha256))
        submodels.append(
            model.Submodel(id_=f"{_ID}{asset_id}:results", id_short=RESULTS, submodel_element=elements)
        )  # fmt: skip
    shell = model.AssetAdministrationShell(
        model.AssetInformation(model.AssetKind.INSTANCE, global_asset_id=f"{_ID}{asset_id}"),
        id_=f"{_ID}{asset_id}:shell",
        id_short="Park",
        display_name=model.MultiLanguageNameType({"zh": name[:60]}),
        submodel={model.ModelReference.from_referable(each) for each in submodels},
    )
    objects: model.DictIdentifiableStore[Any] = model.DictIdentifiableStore([shell, *submodels])
    package = io.BytesIO()
    with aasx.AASXWriter(package) as writer:
        writer.write_aas(shell.id, objects, files)
    return package.getvalue()


def read_aasx(content: bytes) -> ShellSummary:
    """Return what a package holds. Its code, if it brings any, is never looked at.

    Raises Invalid for a package beyond the limits, with entities, or that is no AASX.
    """
    with open_package(content) as package:
        check_xml(package)
        names = tuple(each.filename for each in package.infolist() if not each.is_dir())
        objects: model.DictIdentifiableStore[Any] = model.DictIdentifiableStore()
        files: Any = aasx.DictSupplementaryFileContainer()  # type: ignore[no-untyped-call]
        try:
            with aasx.AASXReader(io.BytesIO(content)) as reader:
                reader.read_into(objects, files)
        except Exception as error:
            raise Invalid("aas.unreadable", msg("不是可读取的 AASX 文件。请用 AAS 工具检查后重新导出。")) from error
        shells = [each for each in objects if isinstance(each, model.AssetAdministrationShell)]
        submodels = [each for each in objects if isinstance(each, model.Submodel)]
        if not shells and not submodels:
            raise Invalid("aas.empty", msg("AASX 中没有资产管理壳或子模型。请检查导出设置。"))
        return ShellSummary(
            shells=tuple(each.id_short or each.id for each in shells),
            submodels=tuple(each.id_short or each.id for each in submodels),
            files=tuple(name for name in names if not name.endswith((".rels", "[Content_Types].xml"))),
            park=_park(package, names, submodels),
            attachments={
                name.removeprefix(ATTACHMENTS[1:]): read_member(package, name)
                for name in names
                if name.startswith(ATTACHMENTS[1:])
            },
        )


def _park(package: zipfile.ZipFile, names: Sequence[str], submodels: Sequence[model.Submodel]) -> dict[str, Any] | None:
    """Return the package's ``park.json``, else the one that its properties say, None without either."""
    inside = PARK_FILE.removeprefix("/")
    if inside in names:
        try:
            found = json.loads(read_member(package, inside))
        except (ValueError, RecursionError):
            raise Invalid("aas.park", msg("AASX 中的 park.json 不是有效的 JSON。请重新导出。")) from None
        return found if isinstance(found, dict) else None
    system = next((each for each in submodels if each.id_short == ENERGY_SYSTEM), None)
    tree = None if system is None else next((each for each in system.submodel_element if each.id_short == "Park"), None)
    return _document(tree.value, 0) if isinstance(tree, model.SubmodelElementCollection) else None


def _elements(tree: Mapping[str, Any], depth: int) -> Iterable[Any]:
    for key, value in tree.items():
        if value is not None and depth < DEEPEST and not (isinstance(value, list) and len(value) > LONGEST_LIST):
            yield _element(key, value, depth)


def _element(key: str, value: Any, depth: int) -> Any:
    name = key if _NAME.fullmatch(key) and not key.endswith("_") else "n" + re.sub(r"[^a-zA-Z0-9]", "", key) + "x"
    marks: list[Any] = []
    if name != key:
        marks.append(model.Extension("key", value_type=str, value=key))
    if isinstance(value, Mapping):
        return model.SubmodelElementCollection(name, list(_elements(value, depth + 1)), extension=marks)
    if isinstance(value, list):
        marks.append(model.Extension(_ARRAY, value_type=bool, value=True))
        items = [_element(f"i{index}", each, depth + 1) for index, each in enumerate(value) if each is not None]
        return model.SubmodelElementCollection(name, items, extension=marks)
    kind: type = bool if isinstance(value, bool) else type(value) if isinstance(value, int | float) else str
    return model.Property(name, kind, kind(value), extension=marks)


def _document(elements: Iterable[Any], depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if depth > DEEPEST:
        return found
    for each in elements:
        marks = {mark.name: mark.value for mark in each.extension}
        key = str(marks.get("key") or each.id_short)
        if isinstance(each, model.SubmodelElementCollection):
            inner = _document(each.value, depth + 1)
            found[key] = list(inner.values()) if marks.get(_ARRAY) else inner
        elif isinstance(each, model.Property) and isinstance(each.value, bool | int | float | str):
            found[key] = each.value
    return found


def _reference(value: str) -> model.ExternalReference:
    return model.ExternalReference((model.Key(model.KeyTypes.GLOBAL_REFERENCE, value),))


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, allow_nan=False, indent=1).encode()
