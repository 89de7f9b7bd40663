"""Plugins by kind and name: from the entry points of installed packages, and from local files.

Names are read from the packages' metadata; a plugin is imported when it is asked for.

A package may also say which names it does not offer, and why: an entry point of the group
`toolkit.refused`, named by the kind (`strategies`), is a mapping from such a name to the reason and
what to use instead.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from toolkit.base.errors import PluginError, UnknownPluginError
from toolkit.base.places import expanded
from toolkit.base.spelling import nearest
from toolkit.registry.failures import describe_failure
from toolkit.registry.kinds import CONTRACTS, SINGULAR, contract_fault
from toolkit.registry.local import load_classes
from toolkit.registry.purpose import purpose

REFUSED = "toolkit.refused"
"""Group of entry points that say which names a package does not offer."""


@dataclass(frozen=True)
class Row:
    """One line of `toolkit plugins`.

    Attributes:
        kind: one of `toolkit.registry.CONTRACTS`; empty for a local file that does not load.
        origin: package and version, or the path of a local file.
        target: `module:Class`.
        error: why it cannot be used; empty if it can, or if that was not checked.
        purpose: what it is for, in a line; empty if its docstring does not say.
    """

    kind: str
    name: str
    origin: str
    target: str
    error: str = ""
    purpose: str = ""


@dataclass(frozen=True)
class Plugin:
    """A plugin that is known, not necessarily loaded."""

    kind: str
    name: str
    origin: str
    target: str
    load: Callable[[], Any]


_OWN = "A plugin of your own is named on the command line: --plugin FILE, or --plugin FOLDER."


class Registry:
    """The plugins there are.

    Args:
        plugin_paths: local plugins, each a `.py` file or a package, see `toolkit.registry.local`.
        tolerant: keep a local plugin that does not load as a row with an error.

    Attributes:
        plugin_paths: the local plugins as absolute paths, for workers that must load the same.

    Raises:
        PluginError: a local plugin does not load (unless tolerant).
    """

    def __init__(self, plugin_paths: Sequence[str | Path] = (), *, tolerant: bool = False) -> None:
        self.plugin_paths = tuple(expanded(path).absolute() for path in plugin_paths)
        self._plugins: list[Plugin] = [*_installed()]
        self._failed: list[Row] = []
        for path in dict.fromkeys(self.plugin_paths):
            self._add_local(path, tolerant)

    def _add_local(self, path: Path, tolerant: bool) -> None:
        try:
            for found in load_classes(path):
                target = f"{found.cls.__module__}:{found.cls.__qualname__}"
                local = Plugin(
                    found.kind, found.name, str(path), target, partial(_already, found.cls)
                )
                # A project that is installed too is the same plugin twice.
                self._plugins = [p for p in self._plugins if not _same(p, local)] + [local]
        except PluginError as error:
            if not tolerant:
                raise
            self._failed.append(Row("", path.stem, str(path), "", error.message))

    def local(self) -> list[Plugin]:
        """Returns the plugins of the local paths."""
        paths = {str(path) for path in self.plugin_paths}
        return [plugin for plugin in self._plugins if plugin.origin in paths]

    def names(self, kind: str) -> list[str]:
        """Names of a kind's plugins, sorted; some may turn out not to load."""
        return sorted({plugin.name for plugin in self._plugins if plugin.kind == kind})

    def get(self, kind: str, name: str) -> Any:
        """Load a plugin's class.

        Raises:
            UnknownPluginError: there is none of that name; the message names the nearest, or says
                why a package does not offer it.
            PluginError: it does not load, breaks its contract, or two packages claim the name.
        """
        found = [plugin for plugin in self._plugins if (plugin.kind, plugin.name) == (kind, name)]
        if not found:
            raise self._unknown(kind, name)
        if len(found) > 1:
            raise PluginError(
                f"{_rivals(found)}.", hint="Uninstall one of them, or rename its plugin."
            )
        return _load(found[0])

    def rows(self, *, check: bool = False) -> list[Row]:
        """Every plugin, by kind and name; with `check` each is loaded, and broken ones say why."""
        rows = []
        for plugin in self._plugins:
            rivals = [
                other
                for other in self._plugins
                if (other.kind, other.name) == (plugin.kind, plugin.name)
            ]
            error = _rivals(rivals) if len(rivals) > 1 else ""
            if check and not error:
                _, error, _ = _try(plugin)
            about = purpose(plugin.target)
            rows.append(Row(plugin.kind, plugin.name, plugin.origin, plugin.target, error, about))
        order = {kind: position for position, kind in enumerate(CONTRACTS)}
        rows.sort(key=lambda row: (order[row.kind], row.name, row.origin))
        return rows + self._failed

    def _unknown(self, kind: str, name: str) -> UnknownPluginError:
        refusal = _refusal(kind, name)
        if refusal is not None:
            reason, instead = refusal
            return UnknownPluginError(f"{name} does not run: {reason}.", hint=instead)
        known = self.names(kind)
        other = next((plugin.kind for plugin in self._plugins if plugin.name == name), None)
        near = nearest(name, known, cutoff=0.5)
        if other:
            hint = f"{name} is a {SINGULAR[other]}; there are {', '.join(known) or 'none'}."
        elif near:
            hint = f"Did you mean {near}? {_OWN}"
        else:
            hint = f"There are {', '.join(known) or 'none'}. {_OWN}"
        return UnknownPluginError(f"No {SINGULAR[kind]} {name!r} is registered.", hint=hint)


def _same(installed: Plugin, local: Plugin) -> bool:
    ours, theirs = ((p.kind, p.name, p.target) for p in (installed, local))
    return ours == theirs


def _installed() -> tuple[Plugin, ...]:
    return _installed_in(tuple((place, _changed(place or ".")) for place in sys.path))


@lru_cache(maxsize=4)
def _installed_in(places: tuple[tuple[str, int], ...]) -> tuple[Plugin, ...]:
    """What the packages of these places offer; they are read again once one has changed."""
    plugins = []
    entries = importlib.metadata.entry_points()
    packages: dict[int, str] = {}
    for kind in CONTRACTS:
        for entry in entries.select(group=f"toolkit.{kind}"):
            package = packages.get(id(entry.dist))
            if package is None:  # To read a name and a version is to parse all of its metadata.
                about = entry.dist
                package = f"{about.name} {about.version}" if about else "unknown package"
                packages[id(about)] = package
            plugins.append(Plugin(kind, entry.name, package, entry.value, entry.load))
    return tuple(plugins)


def _changed(place: str) -> int:
    """When a place was last changed, in ns; 0 if it is none."""
    try:
        return os.stat(place).st_mtime_ns  # noqa: PTH116
    except OSError:
        return 0


def _refusal(kind: str, name: str) -> tuple[str, str] | None:
    """Why a package does not offer a name that one may look for in it, and what to use instead."""
    for entry in importlib.metadata.entry_points(group=REFUSED, name=kind):
        with suppress(Exception):  # a broken package must not hide that the name is unknown
            reasons: Mapping[str, tuple[str, str]] = entry.load()
            if name in reasons:
                return reasons[name]
    return None


def _load(plugin: Plugin) -> Any:
    cls, fault, cause = _try(plugin)
    if fault:
        raise PluginError(
            f"The {SINGULAR[plugin.kind]} {plugin.name!r} of {plugin.origin} {fault}.",
            hint="`toolkit plugins --check` tries every plugin.",
        ) from cause
    return cls


def _already(cls: Any) -> Any:
    return cls


def _try(plugin: Plugin) -> tuple[Any, str, BaseException | None]:
    """A plugin's class, what keeps it from being used (empty if nothing), and the exception."""
    try:
        cls = plugin.load()
    except (Exception, SystemExit) as error:
        return None, f"does not load: {describe_failure(error)}", error
    fault = contract_fault(plugin.kind, cls)
    return cls, f"({plugin.target}) {fault}" if fault else "", None


def _rivals(plugins: Sequence[Plugin]) -> str:
    sources = " and ".join(f"{plugin.origin} ({plugin.target})" for plugin in plugins)
    return f"The {SINGULAR[plugins[0].kind]} {plugins[0].name!r} is given by both {sources}"
