"""Pitches of a lead list in a language model's words: what it is asked, what of its answer may stand, and the files with it."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from services.gateways.lead_files import render_files
from services.gateways.leads_documents import REPORT
from services.gateways.sandbox import Progress
from services.rules.bare_names import unheard
from services.rules.evidence import LANGUAGE_MODEL
from services.rules.personal_data import free_text
from services.rules.runs import MANIFEST
from services.rules.wording import beyond, plain

FEWEST_CHARACTERS = 20
INSTRUCTION = (
    "你为工业园区撰写招商推介语。请把用户给出的句子改写成一段通顺、得体的中文，收信人是该企业，可称“贵公司”。"
    "只可使用这些句子里的事实；数字、日期、名称和单位须原样保留，不得换算、概数、推断或评价，不得提到其他企业、地名和英文词，"
    "不得使用其他数词。只输出这一段正文，300 字以内。"
)

Lead = Mapping[str, Any]


def question(lead: Lead) -> str:
    """Return what a model is told of a lead: what its letter says, without anything that looks like a person's."""
    sentences = [free_text(each["text"]) for each in lead["pitch"]["sentences"]]
    return json.dumps({"企业": free_text(lead["name"]), "句子": sentences}, ensure_ascii=False)


def may_stand(answer: str, lead: Lead, names: frozenset[str]) -> str | None:
    """Return an answer as the letter takes it; None when it says anything that the template's sentences do not."""
    text = "".join(answer.split())
    known = _known(lead)
    if len(text) < FEWEST_CHARACTERS or any(each in text for each in "〔〕<>*#`"):
        return None
    if beyond(" ".join(answer.split()), known, name=lead["name"], others=names):
        return None
    told = " ".join(answer.split())
    return told if told.endswith("。") else told.rstrip("，,；;.！!") + "。"


def unheard_in(text: str, lead: Lead) -> frozenset[str]:
    """Return the pieces of an answer, as long as a company's short name may be, that the template's sentences do not have."""
    return unheard(plain(text), plain(_known(lead) + lead["name"]))


def _known(lead: Lead) -> str:
    return "".join(each["text"] for each in lead["pitch"]["sentences"])


def with_pitches(
    files: Mapping[str, bytes], pitches: Mapping[int, str], model: str, *, progress: Progress
) -> dict[str, bytes]:
    """Return all files of a list with some leads' pitches (by their place in the report) in the words of ``model``.

    The manifest says so, and holds the hashes of the new files.
    """
    report = copy.deepcopy(json.loads(files[REPORT]))
    for at, text in pitches.items():
        sentences = report["leads"][at]["pitch"]["sentences"]
        stands_on = list(dict.fromkeys(key for each in sentences for key in each["evidence"]))
        report["leads"][at]["pitch"] = {
            "by": LANGUAGE_MODEL,
            "model": model,
            "sentences": [{"text": text, "evidence": stands_on}],
        }
    progress("pitches", 0.5)
    changed = {
        **{name: content for name, content in files.items() if name != MANIFEST},
        REPORT: json.dumps(report, ensure_ascii=False, indent=1).encode() + b"\n",
        **render_files(report),
    }
    manifest = json.loads(files[MANIFEST])
    manifest["pitches"] = {"model": model, "ranks": [report["leads"][at]["rank"] for at in sorted(pitches)]}
    manifest["outputs"] = {name: hashlib.sha256(content).hexdigest() for name, content in changed.items()}
    told = json.dumps(manifest, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"
    return {MANIFEST: told, **changed}
