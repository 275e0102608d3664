"""A result file as a laboratory delivers it: PDF, XLSX or CSV, and really one. Its hash is worth nothing otherwise."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import PurePath

from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg

MEDIA_TYPES = {
    ".pdf": "application/pdf",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".csv": "text/csv",
}


def check_result(name: str, content: bytes) -> str:
    """Return the media type of a result file, told by its name and held against its bytes.

    Raises Invalid ``result.kind`` for a name of another kind, ``result.malformed`` with what is wrong inside.
    """
    kind = PurePath(name.replace("\\", "/")).suffix.lower()
    if kind not in MEDIA_TYPES:
        raise _wrong("result.kind", msg("结果文件须为 PDF、XLSX 或 CSV。请转换格式后重新上传。"))
    problem = {".pdf": _pdf, ".xlsx": _xlsx, ".csv": _csv}[kind](content)
    if problem is not None:
        raise _wrong("result.malformed", problem)
    return MEDIA_TYPES[kind]


def _pdf(content: bytes) -> Message | None:
    if b"%PDF-" not in content[:1024]:
        return msg("文件内容不是 PDF（缺少 %PDF 文件头）。请重新导出后上传。")
    if b"%%EOF" not in content[-1024:]:
        return msg("PDF 文件不完整（缺少文件尾）。请重新导出或重新传输后上传。")
    return None


def _xlsx(content: bytes) -> Message | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return msg("文件内容不是 XLSX（无法打开）。请用表格软件另存为 XLSX 后上传。")
    if not {"[Content_Types].xml", "xl/workbook.xml"} <= names:
        return msg("文件内容不是 XLSX（其中没有工作簿）。请用表格软件另存为 XLSX 后上传。")
    return None


def _csv(content: bytes) -> Message | None:
    if b"\0" in content:
        return msg("文件内容不是 CSV（含二进制数据）。请另存为 CSV 后上传。")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        try:
            rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if any(row)]
        except csv.Error:
            return msg("CSV 文件中有未闭合的引号或过长的字段。请检查后重新上传。")
        if len(rows) < 2 or len(rows[0]) < 2:
            return msg("CSV 文件须有表头和至少一行结果，且不少于两列。请补全后重新上传。")
        return None
    return msg("CSV 文件须为 UTF-8 或 GB18030 编码。请另存后重新上传。")


def _wrong(code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError("content", code, message)])
