"""Each folder says what goes in, and the ways through the code are as short as they are told."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = sorted(
    path
    for room in ("toolkit", "plugins", "search_spaces")
    for path in (ROOT / room).rglob("__init__.py")
    if "templates" not in path.parts
)


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_a_folder_says_in_one_sentence_what_goes_in(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    first, _, _ = said.partition("\n\n")
    assert first.endswith(".") and "\n" not in first


@pytest.mark.parametrize(("way", "most"), [("`train.lr`", 8), ("A metric", 7)])
def test_a_way_through_the_code_passes_few_files_that_there_are(way: str, most: int) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paragraph, _, _ = text[text.index(f"\n{way}, from") :].partition("\n\n")
    told, *_ = re.split(r"In\s+between", paragraph)
    files = re.findall(r"`([\w/]+\.py)`", told)
    assert 3 < len(files) <= most
    assert [name for name in files if not (ROOT / "toolkit" / name).is_file()] == []
