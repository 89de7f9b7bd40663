"""Folders of samples: which files are data, of which class, and in which given part.

For plugin authors: every public name is stable.

Layouts::

    cat/1.png  dog/7.png             a folder a class
    train/cat/1.png  test/cat/9.png  the same in given parts: `train`, `val` and `test`, in any
                                     case, also `training`, `valid`, `validation`, `testing`,
                                     `training_set`, `test-images`, `val data`

What is below a class's folder belongs to the class, at any depth. Names that begin with a dot are
skipped, and so are folders that file systems and archivers add. Links are followed. A folder that
holds nothing but one folder of such folders is read as that one.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from toolkit.base.errors import DataError
from toolkit.base.files import is_left_out, special_kind

PARTS = ("train", "val", "test")
_PART_NAME = re.compile(
    r"(?:(?P<train>train(?:ing)?)|(?P<val>val(?:id(?:ation)?)?)|(?P<test>test(?:ing)?))"
    r"(?:[ _-]?(?:sets?|data|images?|samples|split|part))?",
    re.IGNORECASE,
)
_PART_WITHIN = re.compile(
    r"(?<![A-Za-z])(?:(?i:(?P<train>train(?:ing)?)|(?P<val>val(?:id(?:ation)?)?)|(?P<test>test(?:ing)?)))"
    r"(?![a-z])"
)
"""The word of a part in a longer name: `train2017`, `seg_train`, `trainA`, `01-test`."""
_NOTES = frozenset(
    {".txt", ".md", ".json", ".xml", ".csv", ".yaml", ".yml", ".html", ".log", ".db", ".ini"}
)
"""Endings of files that often lie beside data and are none."""


def part_called(name: str) -> str | None:
    """Which given part a name means, one of `PARTS`; None if it means none."""
    match = _PART_NAME.fullmatch(name.strip())
    return match.lastgroup if match else None


def _part_within(name: str) -> tuple[str, str] | None:
    """A part that a longer name speaks of, and the other letters; None if it speaks of none."""
    match = _PART_WITHIN.search(name)
    if match is None or match.lastgroup is None:
        return None
    rest = name[: match.start()] + name[match.end() :]
    return match.lastgroup, "".join(filter(str.isalpha, rest)).casefold()


class File(NamedTuple):
    """One sample's file, its class, and its part; the part is empty if none is given."""

    path: Path
    label: str
    part: str


@dataclass(frozen=True)
class Kind:
    """What the files are.

    Attributes:
        what: in the plural, "images".
        endings: of the files' names, in lower case.
        hint: how the data are to be laid out, for errors.
        label: class of a file that lies in no class's folder, by its name; None if it has none.
    """

    what: str
    endings: Collection[str]
    hint: str
    label: Callable[[Path], str] | None = None

    def holds(self, path: Path) -> bool:
        """Whether a file's name ends as data do.

        Raises:
            DataError: it does, and is no file but a FIFO, a device or a socket.
        """
        if path.suffix.lower() not in self.endings:
            return False
        if special := special_kind(path):
            raise DataError(f"{path} is {special}, expected a file.", hint="Take it away.")
        return True

    @property
    def endings_in_words(self) -> str:
        """Which files are data, as a sentence."""
        what = f"{self.what[:1].upper()}{self.what[1:]}"
        return f"{what} are files ending in {', '.join(sorted(self.endings))}."


@dataclass
class Listing:
    """The files of a folder.

    Attributes:
        files: in the order of parts, classes and names.
        notes: sentences on what was left out.
    """

    files: list[File] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def parts(self) -> set[str]:
        """The given parts that there are."""
        return {file.part for file in self.files} - {""}


def list_folder(root: Path, kind: Kind) -> Listing:
    """Lists the files of a folder with their classes and parts.

    Raises:
        DataError: there are none; the layout can be read in two ways; a class's folder or a part
            holds nothing; a link leads nowhere or in a circle. The folder is named.
    """
    reader = _Reader(kind)
    reader.read(root)
    if reader.unread:
        endings = ", ".join(f"{count} {ending}" for ending, count in reader.unread.most_common(5))
        reader.listing.notes.append(
            f"{root}: files in the folders of classes are not read: {endings}."
            f" {kind.endings_in_words}"
        )
    return reader.listing


def files_below(root: Path, kind: Kind) -> list[Path]:
    """Data files at any depth below a folder, in order, whatever the folders are called.

    Raises:
        DataError: a link leads nowhere or in a circle.
    """
    return sorted(path for path in _below(root) if kind.holds(path))


class _Reader:
    """Reads one folder into a listing, and counts the endings of files that are no data."""

    def __init__(self, kind: Kind) -> None:
        self.kind, self.listing = kind, Listing()
        self.unread: Counter[str] = Counter()

    def read(self, root: Path) -> None:
        loose, folders = self._entries(root)
        parts = _parts(root, folders)
        if loose and self.kind.label is not None:
            self._read_loose(root, loose, folders, "")
        elif len(folders) == 1 and not loose and self._is_root(folders[0], parts):
            _refuse_circle(folders[0], [root.resolve()])
            self.read(folders[0])
        elif parts:
            self._check_parts(root, parts, folders)
            self._note_loose(root, loose, "parts")
            if same := _same(list(parts.values())):
                self.listing.notes.append(
                    f"{same[0]} and {same[1]} are one folder, linked to twice: the same"
                    f" {self.kind.what} are in both parts."
                )
            for part in PARTS:
                if part in parts:
                    self._read_part(parts[part], part if len(parts) > 1 else "")
        else:
            self._read_classes(root, "")

    def _is_root(self, folder: Path, parts: Mapping[str, Path]) -> bool:
        """Whether a root's only folder is to be read in its place."""
        if parts and "train" not in parts:
            return False
        loose, folders = self._entries(folder)
        return bool(folders) and not loose

    def _check_parts(self, root: Path, parts: Mapping[str, Path], folders: Sequence[Path]) -> None:
        names = " and ".join(f"{folder.name}/" for folder in parts.values())
        mean = "name parts" if len(parts) > 1 else "names a part"
        for folder in folders:
            if folder not in parts.values():
                self._refuse_beside(root, folder, f"{names}, which {mean}")
        if "train" not in parts:
            raise DataError(
                f"{root} has {names}, which {mean}, but no train/.",
                hint="Add the folder train/, or rename the folder if it is a class.",
            )

    def _refuse_beside(self, root: Path, folder: Path, what: str) -> None:
        if any(map(self.kind.holds, _below(folder))):
            raise DataError(
                f"{root} holds {what}, and beside that {folder.name}/ with further"
                f" {self.kind.what}.",
                hint="Rename or move one of them, or begin its name with a dot to have it skipped.",
            )

    def _read_part(self, folder: Path, part: str) -> None:
        loose, folders = self._entries(folder)
        if loose and self.kind.label is not None:
            self._read_loose(folder, loose, folders, part)
        else:
            self._read_classes(folder, part)

    def _read_loose(
        self, root: Path, loose: Sequence[Path], folders: Sequence[Path], part: str
    ) -> None:
        assert self.kind.label is not None
        for folder in folders:
            self._refuse_beside(root, folder, f"{self.kind.what} in no folder of a class")
        self.listing.files += [File(path, self.kind.label(path), part) for path in loose]

    def _read_classes(self, folder: Path, part: str) -> None:
        loose, folders = self._entries(folder)
        what = self.kind.what
        for inner in folders:
            _refuse_parts_within(inner)
        if same := _same(folders):
            raise DataError(
                f"{same[0]} and {same[1]} are one folder, linked to twice, and cannot be two"
                " classes.",
                hint="Mend the link, or begin its name with a dot to have it skipped.",
            )
        _refuse_parts_by_longer_names(folder, folders)
        found = {inner: self._data_below(inner) for inner in folders}
        if not any(found.values()):
            holds = f"no {what}"
            if loose:
                holds = f"{what}, such as {loose[0].name}, but in no folder of a class"
            raise DataError(f"{folder} holds {holds}.", hint=self.kind.hint)
        for inner, files in found.items():
            if not files:
                raise DataError(
                    f"The folder {inner} gives no class: it holds {_contents(inner)}.",
                    hint=f"{self.kind.endings_in_words} To go on without it, move it away or begin"
                    " its name with a dot.",
                )
            self.listing.files += [File(path, inner.name, part) for path in files]
        self._note_repeated(folder, folders)
        self._note_loose(folder, loose, "classes")

    def _note_loose(self, folder: Path, loose: Sequence[Path], of: str) -> None:
        if loose:
            more = f" and {len(loose) - 1} more" if len(loose) > 1 else ""
            self.listing.notes.append(
                f"{folder}: {self.kind.what} beside the folders of {of} are not read:"
                f" {loose[0].name}{more}."
            )

    def _note_repeated(self, root: Path, classes: Sequence[Path]) -> None:
        """Says that all classes hold folders alone, which may be the true classes."""
        within = [self._entries(folder) for folder in classes]
        names = {tuple(inner.name for inner in folders) for _, folders in within}
        if any(loose for loose, _ in within) or min(map(len, names)) < 2:
            return
        inner = min(names)
        if len(names) > 1:
            self.listing.notes.append(
                f"{root}: the classes are {classes[0].name}, {classes[1].name}"
                f"{', ...' if len(classes) > 2 else ''}, and each holds folders alone, such as"
                f" {inner[0]} and {inner[1]}, whose files are taken together. If these are the"
                " classes, move them up by one folder."
            )
            return
        self.listing.notes.append(
            f"{root}: the classes are {classes[0].name}, {classes[1].name}"
            f"{', ...' if len(classes) > 2 else ''}, and each holds the folders {inner[0]} and"
            f" {inner[1]}{', ...' if len(inner) > 2 else ''}. If these are the classes, put all"
            " files of one into one folder."
        )

    def _data_below(self, folder: Path) -> list[Path]:
        """Data files at any depth below a folder; the endings of others are counted."""
        files = []
        for path in _below(folder):
            if self.kind.holds(path):
                files.append(path)
            elif path.suffix.lower() not in _NOTES:
                self.unread[path.suffix.lower() or "without ending"] += 1
        return sorted(files)

    def _entries(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Data files and folders that lie in a folder itself."""
        loose, folders = [], []
        for entry in _visible(folder):
            if entry.is_dir():
                folders.append(Path(entry.path))
            elif self.kind.holds(Path(entry.path)):
                loose.append(Path(entry.path))
        return sorted(loose), sorted(folders)


def _parts(root: Path, folders: Sequence[Path]) -> dict[str, Path]:
    parts: dict[str, Path] = {}
    for folder in folders:
        part = part_called(folder.name)
        if part in parts:
            raise DataError(
                f"{root} has two folders for the {part} part, {parts[part].name}/ and"
                f" {folder.name}/.",
                hint="Leave one of them, or begin the other's name with a dot to have it skipped.",
            )
        if part is not None:
            parts[part] = folder
    return parts


def _refuse_parts_by_longer_names(root: Path, folders: Sequence[Path]) -> None:
    """Refuses folders such as train2017/ and val2017/, which would be taken for classes."""
    found: dict[str, dict[str, Path]] = {}
    for folder in folders:
        if within := _part_within(folder.name):
            part, rest = within
            found.setdefault(rest, {}).setdefault(part, folder)
    for parts in found.values():
        if len(parts) > 1 and "train" in parts:
            names = " and ".join(f"{folder.name}/" for folder in parts.values())
            raise DataError(
                f"{root} holds {names}, which seem to be parts and not classes.",
                hint="Call the folders of parts train/, val/ and test/, with folders of classes in"
                " them; rename the folders if they are classes.",
            )


def _same(folders: Sequence[Path]) -> tuple[Path, Path] | None:
    """Two folders that are one, if there are two."""
    first: dict[Path, Path] = {}
    for folder in folders:
        other = first.setdefault(folder.resolve(), folder)
        if other != folder:
            return other, folder
    return None


def _refuse_parts_within(folder: Path) -> None:
    within = [Path(entry.path) for entry in _visible(folder) if entry.is_dir()]
    if len(parts := _parts(folder, within)) > 1:
        names = " and ".join(f"{inner.name}/" for inner in parts.values())
        raise DataError(
            f"The folder of a class, {folder}, holds {names}, which name parts.",
            hint="Parts are read as folders around those of classes: train/cat/, test/cat/.",
        )


def _below(folder: Path, trail: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Files at any depth below a folder."""
    trail = (*trail, folder.resolve())
    for entry in _visible(folder):
        path = Path(entry.path)
        if entry.is_dir():
            _refuse_circle(path, trail)
            yield from _below(path, trail)
        else:
            yield path


def _refuse_circle(link: Path, trail: Sequence[Path]) -> None:
    if not link.is_symlink():
        return
    target = link.resolve()
    if any(target == place or target in place.parents for place in trail):
        raise DataError(
            f"The link {link} leads back to {target}, in which it lies.",
            hint="Remove the link: followed, it has no end.",
        )


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, without what is hidden or added by file systems and archivers."""
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if not is_left_out(entry.name)]
    for link in (Path(entry.path) for entry in found if entry.is_symlink()):
        if not link.exists():
            raise DataError(
                f"The link {link} leads to {link.readlink()}, which is not there.",
                hint="Mend or remove the link.",
            )
    return found


def _contents(folder: Path) -> str:
    """What a folder without data holds."""
    unread: Counter[str] = Counter()
    others = 0
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        others += len(folders)
        unread.update(Path(name).suffix or name for name in names if not name.startswith("."))
    if unread:
        return ", ".join(f"{count} {ending}" for ending, count in unread.most_common(3))
    return "empty folders alone" if others else "nothing"
