"""A park as an Asset Administration Shell, there and back; packages that are bombs; FMUs that are only read."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from basyx.aas import model
from basyx.aas.adapter import aasx

from services.gateways import packages
from services.gateways.aas import read_aasx, write_aasx
from services.gateways.fmu import read_fmu
from tenants.kernel.errors import Invalid
from tests.services.parks import week

FMI_2 = """<?xml version="1.0" encoding="UTF-8"?>
<fmiModelDescription fmiVersion="2.0" modelName="冷站" guid="{1}" generationTool="tool"><CoSimulation modelIdentifier="m"/>
<ModelVariables><ScalarVariable name="T" valueReference="0" causality="output" description="回水温度"><Real unit="degC"/></ScalarVariable>
<ScalarVariable name="P" valueReference="1" causality="input"><Real unit="kW"/></ScalarVariable></ModelVariables>
</fmiModelDescription>"""
FMI_3 = """<fmiModelDescription fmiVersion="3.0" modelName="battery"><ModelExchange modelIdentifier="m"/>
<ModelVariables><Float64 name="soc" valueReference="0" causality="output" unit="1"/></ModelVariables></fmiModelDescription>"""


def document() -> dict[str, Any]:
    """A small park as its JSON is read back."""
    found: dict[str, Any] = json.loads(json.dumps(week()))
    return found


def written(**change: Any) -> bytes:
    """A package of the small park."""
    given: dict[str, Any] = {
        "asset_id": "park-1", "name": "演示园区", "park": document(), "attachments": {"load.csv": b"time,kw\n"},
        "kpis": {"as_is": {"annual_bill_yuan": 12.5, "peak_kw": 3}}, "manifest_sha256": "a" * 64,
    }  # fmt: skip
    return write_aasx(**(given | change))


def zipped(members: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as package:
        for name, content in members.items():
            package.writestr(name, content)
    return out.getvalue()


def changed(package: bytes, **members: bytes | None) -> bytes:
    """The package with members (by the last part of their name) replaced, or left out for None."""
    with zipfile.ZipFile(io.BytesIO(package)) as old:
        kept = {each: members.get(each.rsplit("/", 1)[-1].replace(".", "_"), old.read(each)) for each in old.namelist()}
    return zipped({name: content for name, content in kept.items() if content is not None})


def test_a_park_comes_back_as_it_went() -> None:
    found = read_aasx(written())
    assert (found.shells, set(found.submodels)) == (("Park",), {"EnergySystem", "TwinResults"})
    assert found.park == document()
    assert found.attachments == {"load.csv": b"time,kw\n"}


def test_the_shell_can_be_read_by_its_properties_alone() -> None:
    """Another tool sees plants and tariff as elements, not a file that only we understand."""
    store: model.DictIdentifiableStore[Any] = model.DictIdentifiableStore()
    with aasx.AASXReader(io.BytesIO(written())) as reader:
        reader.read_into(store, aasx.DictSupplementaryFileContainer())
    shell = store.get_item("urn:park-technology-marketplace:park-1:shell")
    assert isinstance(shell, model.AssetAdministrationShell)
    results = next(each for each in store if isinstance(each, model.Submodel) and each.id_short == "TwinResults")
    bill: Any = results.get_referable(["as_is", "annual_bill_yuan"])
    assert bill.value == 12.5
    stripped = changed(
        written(attachments={}),
        data_xml=_without_file(written(attachments={})),
        park_json=None,
        data_xml_rels=b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>',
    )
    park = read_aasx(stripped).park
    assert park is not None
    assert (park["site"], park["tariff"]["prices"]) == (document()["site"], document()["tariff"]["prices"])


def _without_file(package: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(package)) as opened:
        text = opened.read("aasx/data.xml").decode()
    start, end = text.index("<aas:file>"), text.index("</aas:file>") + len("</aas:file>")
    return (text[:start] + text[end:]).encode()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"no zip", "package.no_zip"),
        (zipped({"a.txt": b"x"}), "aas.unreadable"),
        (zipped({"../out.xml": b"<a/>"}), "package.path"),
        (zipped({"C:\\out.xml": b"<a/>"}), "package.path"),
        (zipped({"zeros": b"\0" * (4 << 20)}), "package.too_large"),
        (zipped({f"{i}": b"" for i in range(packages.MOST_MEMBERS + 1)}), "package.too_many"),
        (zipped({"a.xml": b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'}), "package.doctype"),
        (zipped({"a.xml": "<a/>".encode("utf-16")}), "package.xml"),
        (zipped({"a.xml": b'<?xml version="1.0" encoding="utf-7"?><a/>'}), "package.xml"),
    ],
)
def test_a_package_that_could_harm_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_aasx(content)
    assert refused.value.code == code


def test_a_member_that_lies_about_its_size_is_refused() -> None:
    honest = zipped({"modelDescription.xml": b"<a>" + b"x" * 5000 + b"</a>"}, zipfile.ZIP_STORED)
    lying = honest.replace((5007).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    with pytest.raises(Invalid, match=r"package\."):
        read_fmu(lying)


@pytest.mark.parametrize(
    ("text", "name", "version", "kind"),
    [(FMI_2, "冷站", "2.0", "CoSimulation"), (FMI_3, "battery", "3.0", "ModelExchange")],
)
def test_an_fmu_is_described_and_never_run(text: str, name: str, version: str, kind: str) -> None:
    found = read_fmu(zipped({"modelDescription.xml": text.encode(), "binaries/linux64/m.so": b"\x7fELF"}))
    assert (found.model_name, found.fmi_version, found.kinds, found.platforms) == (name, version, (kind,), ("linux64",))
    assert found.variables[0].unit in {"degC", "1"}
    with pytest.raises(Invalid, match=r"fmu\.no_description"):
        read_fmu(zipped({"binaries/linux64/m.so": b"x"}))
