"""What data a run is of, by their content: the same wherever they lie, another once they change."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from toolkit.base.files import is_left_out
from toolkit.base.plain import encodable

WHOLE_BYTES = 1 << 28
"""Data up to this size are read as a whole; of more, the ends of each file and all sizes."""
_BLOCK = 1 << 20
_SCHEME = "2:"
"""Begins digests of this kind; earlier ones are of a file's own bytes, and not to be compared."""
_CONTENT = "content "


@dataclass(frozen=True)
class Content:
    """What a file holds, or what all files below a folder do.

    Attributes:
        path: of the file or folder.
        digest: the same for the same content, wherever it lies.
        files: size and checksum of each file, by its name within the folder.
    """

    path: Path
    digest: str
    files: Mapping[str, tuple[int, int]]


def contents_of(options: Any) -> dict[str, Content]:
    """Returns what each file and folder holds that a task's options name.

    Args:
        options: a task's options, whose paths are `DataPath`s.

    Returns:
        Contents by the dotted place of the path in the recipe, such as `task.data`.
    """
    found = _paths(options, "task")
    return {key: content_of(path) for key, path in found if path.is_file() or path.is_dir()}


def digests_of(contents: Mapping[str, Content]) -> dict[str, str]:
    """The digests of what some paths hold."""
    return {key: content.digest for key, content in contents.items()}


def _paths(options: Any, key: str) -> Iterator[tuple[str, Path]]:
    if isinstance(options, Path):
        yield key, options
    elif isinstance(options, BaseModel):
        for name in type(options).model_fields:
            yield from _paths(getattr(options, name), f"{key}.{name}")


def content_of(path: Path) -> Content:
    """Reads a file, or all files below a folder, and their names.

    Files that are hidden, or added by file systems and archivers, are none of the data. Of an
    `.npz` archive it is its arrays that count, compressed or not.
    """
    files = sorted(_files_below(path)) if path.is_dir() else [path]
    sizes = {file: file.stat().st_size for file in files}
    whole = sum(sizes.values()) <= WHOLE_BYTES
    digest, known = hashlib.sha256(), {}
    for file, size in sizes.items():
        name = "" if file == path else str(file.relative_to(path))
        blocks: Iterable[bytes]
        if (held := _of_archive(file)) is not None:
            digest.update(f"{name}\0".encode("utf-8", "surrogateescape"))
            blocks = [held]
        else:
            digest.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
            blocks = _blocks_of(file, whole)
        checksum = 0
        for block in blocks:
            digest.update(block)
            checksum = zlib.crc32(block, checksum)
        known[encodable(name or path.name)] = size, checksum
    return Content(path, _SCHEME + digest.hexdigest()[:16], known)


def _files_below(folder: Path) -> Iterator[Path]:
    """Files at any depth, links followed, without what is hidden or added by systems."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not is_left_out(name)]
        files = (Path(place, name) for name in names if not is_left_out(name))
        yield from (file for file in files if file.is_file())


def is_archive(file: Path) -> bool:
    """Whether a file is an archive of arrays, by its name and by what it holds."""
    return file.suffix.lower() == ".npz" and zipfile.is_zipfile(file)


def _of_archive(file: Path) -> bytes | None:
    """Names, sizes and checksums of what an archive holds, however it is packed.

    None of a file that is no archive.
    """
    if file.suffix.lower() != ".npz":
        return None
    try:
        with zipfile.ZipFile(file) as archive:
            held = sorted((one.filename, one.file_size, one.CRC) for one in archive.infolist())
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    return repr(held).encode("utf-8", "surrogateescape")


def _blocks_of(file: Path, whole: bool) -> Iterator[bytes]:
    """A file's content, or its ends."""
    with file.open("rb") as stream:
        if whole:
            while block := stream.read(_BLOCK):
                yield block
            return
        yield stream.read(_BLOCK)
        stream.seek(max(file.stat().st_size - _BLOCK, 0))
        yield stream.read(_BLOCK)


def of_one_kind(own: str, other: str) -> bool:
    """Whether two digests are of the kind that this version makes, or both of an earlier one."""
    return own.startswith(_SCHEME) == other.startswith(_SCHEME)


def as_value(digest: str) -> str:
    """Returns what stands in a recipe in place of a path whose content is known."""
    return f"{_CONTENT}{digest}"


def is_content(value: Any) -> bool:
    """Whether a value of a recipe stands for the content of a path, see `as_value`."""
    return str(value).startswith(_CONTENT)


def by_content(
    recipe: Mapping[str, Any], own: Mapping[str, str], other: Mapping[str, str]
) -> dict[str, Any]:
    """Returns a recipe with digests in place of its paths, where both runs know the content.

    Paths are left where one run knows it by an earlier kind of digest.
    """
    named = {word: dict(v) if isinstance(v, Mapping) else v for word, v in recipe.items()}
    for key in own.keys() & other.keys():
        if of_one_kind(own[key], other[key]):
            _put(named, key.split("."), as_value(own[key]))
    return named


def _put(data: dict[str, Any], path: list[str], value: str) -> None:
    *outer, last = path
    for name in outer:
        inner = data.get(name)
        if not isinstance(inner, Mapping):
            return
        copied = dict(inner)
        data[name] = copied
        data = copied
    if last in data:
        data[last] = value
