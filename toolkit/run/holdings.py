"""What the data of a run hold, to say what differs where other data take their place."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.base.plain import encodable
from toolkit.contracts import Survey, TaskInfo
from toolkit.run.content import Content, is_archive, is_content
from toolkit.run.differences import shown_difference

SAMPLES = "samples"
"""The key of what a task says of its data, beside those of paths."""
MOST_FILES = 1000
"""Files of a folder that are known one by one."""
_SHOWN = 4


def holdings_of(
    contents: Mapping[str, Content], info: TaskInfo, survey: Survey | None
) -> dict[str, Any]:
    """Returns what the data of a run hold, as plain JSON.

    Arrays of an archive have their shapes, types and checksums, files of a folder their sizes and
    checksums; of many files, their number and size alone are known.

    Args:
        contents: of what the task's options name, see `toolkit.run.content.contents_of`.
        info: of the data.
        survey: of the data, where the task gives one.

    Returns:
        What each file and folder holds by the dotted place of its path in the recipe, such as
        `task.data`; the samples' kind and classes by `SAMPLES`.
    """
    counts: dict[str, int] = {}
    for part in (survey.counts if survey else {}).values():
        for name, count in part.items():
            counts[encodable(name)] = counts.get(encodable(name), 0) + count
    samples = {"inputs": info.inputs_in_words, "classes": counts if info.classes else {}}
    return {SAMPLES: samples, **{key: _holding(content) for key, content in contents.items()}}


def differences_in_words(
    differing: Mapping[str, tuple[Any, Any]], old: Mapping[str, Any], new: Mapping[str, Any]
) -> str:
    """Says what differs between two recipes, and between their data.

    Args:
        differing: values by dotted key, see `toolkit.run.differences.differing`.
        old, new: what the data of both hold.
    """
    said = []
    for key, pair in differing.items():
        if key in old and key in new and all(map(is_content, pair)):
            what = [*_of_samples(old.get(SAMPLES), new.get(SAMPLES)), *_differ(old[key], new[key])]
            said.append(f"{key} holds other data ({', '.join(what)})")
        else:
            said.append(shown_difference(key, pair))
    return "; ".join(said)


def _holding(content: Content) -> dict[str, Any]:
    if not content.path.is_dir() and (arrays := _arrays_of(content.path)) is not None:
        return {"arrays": arrays}
    if len(content.files) > MOST_FILES:
        total = sum(size for size, _ in content.files.values())
        return {"count": len(content.files), "bytes": total}
    return {"files": {name: list(one) for name, one in content.files.items()}}


def _arrays_of(file: Path) -> dict[str, Any] | None:
    """Shapes, types and checksums of an archive's arrays; None where it is none."""
    if not is_archive(file):
        return None
    found: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for one in archive.infolist():
                with archive.open(one) as stream:
                    shape, kind = _header(stream)
                found[encodable(one.filename.removesuffix(".npy"))] = [list(shape), kind, one.CRC]
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None
    return found


def _header(stream: Any) -> tuple[Sequence[int], str]:
    from numpy.lib import format

    old = format.read_magic(stream) == (1, 0)
    read = format.read_array_header_1_0 if old else format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return shape, str(dtype)


def _of_samples(old: Any, new: Any) -> Iterator[str]:
    """What differs in what the tasks say of their samples."""
    if not old or not new:
        return
    if old["inputs"] != new["inputs"]:
        yield f"{old['inputs']} there, {new['inputs']} now"
    if old["classes"] != new["classes"]:
        counts = [sum(one["classes"].values()) for one in (old, new)]
        if counts[0] != counts[1]:
            yield f"{counts[0]} samples there, {counts[1]} now"
        if [*old["classes"]] != [*new["classes"]]:
            yield f"{_classes(old['classes'])} there, {_classes(new['classes'])} now"


def _classes(counts: Mapping[str, int]) -> str:
    names = [*counts]
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"{len(names)} classes ({', '.join(names[:6])}{more})"


def _differ(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between what two paths hold, in words."""
    if "arrays" in old and "arrays" in new:
        said = [*_of_arrays(old["arrays"], new["arrays"])]
    elif "files" in old and "files" in new:
        said = [*_of_files(old["files"], new["files"])]
    else:
        said = [f"{_in_words(old)} there, {_in_words(new)} now"]
    more = len(said) - _SHOWN
    return [*said[:_SHOWN], *([f"{more} more differences"] if more > 0 else [])]


def _of_arrays(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"the array {name} is missing now" for name in old if name not in new)
    yield from (f"the array {name} was not there" for name in new if name not in old)
    for name in old:
        if name not in new or old[name] == new[name]:
            continue
        (shape, kind, _), (own_shape, own_kind, _) = old[name], new[name]
        if shape != own_shape:
            yield f"{name} had the shape {tuple(shape)}, and has {tuple(own_shape)}"
        elif kind != own_kind:
            yield f"{name} was of type {kind}, and is of {own_kind}"
        else:
            yield f"{name} has other values"


def _of_files(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if len(old) == len(new) == 1:
        (name, (size, _)), (other, (own, _)) = *old.items(), *new.items()
        if size != own:
            yield f"{name} had {size:,} bytes, and {other} has {own:,}"
        else:
            yield f"{other} has other content"
        return
    if len(old) != len(new):
        yield f"{len(old)} files there, {len(new)} now"
    yield from _listed([name for name in old if name not in new], "is missing now")
    yield from _listed([name for name in new if name not in old], "was not there")
    changed = [name for name in old if name in new and old[name] != new[name]]
    yield from _listed(changed, "has other content")


def _listed(names: Sequence[str], what: str) -> Iterator[str]:
    if names:
        more = f", and so have {len(names) - 1} more" if "has" in what else ""
        more = more or f", and {len(names) - 1} more"
        yield f"{names[0]} {what}{more if names[1:] else ''}"


def _in_words(held: Mapping[str, Any]) -> str:
    if "arrays" in held:
        return f"the arrays {', '.join(held['arrays'])}"
    sizes = [one[0] for one in held.get("files", {}).values()]
    count, size = held.get("count", len(sizes)), held.get("bytes", sum(sizes))
    return f"{count} file{'' if count == 1 else 's'} of {size:,} bytes"
