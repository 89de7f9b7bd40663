"""Looks for links within a built site that lead nowhere, and for files it would load from outside.

python scripts/check_links.py site
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src")}
"""What a browser loads without being asked."""


class Page(HTMLParser):
    """The links of a page, and the places that links may lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.outside: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        for name in ("href", "src"):
            if name not in given:
                continue
            address = given[name]
            style = tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon")
            if urlsplit(address).scheme in ("http", "https") or address.startswith("//"):
                if (tag, name) in LOADED or style:
                    self.outside.append(address)
            elif not urlsplit(address).scheme:
                self.links.append(address)


def faults(site: Path) -> list[str]:
    """A sentence for each link that leads nowhere, or file from outside."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        if path.name == "404.html":  # It is shown at any address, with links from the root.
            continue
        where = path.relative_to(site.resolve())
        found += [f"{where} loads {address} from outside" for address in page.outside]
        for link in page.links:
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target = target / "index.html"
            if not target.is_file():
                found.append(f"{where} links to {link}, which is not there")
            elif (
                parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].anchors
            ):
                found.append(f"{where} links to {link}, which has no such heading")
    return found


def main() -> None:
    site = Path(sys.argv[1])
    found = faults(site)
    for fault in found:
        print(fault)
    print(f"{len(list(site.rglob('*.html')))} pages, {len(found)} faults")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
