"""Overrides and searched values are parsed exactly, whatever is written in them."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.recipe.document import Document, parse_scalar, parse_yaml
from toolkit.recipe.faults import Faults
from toolkit.recipe.overrides import Override, apply_override, parse_override
from toolkit.recipe.values import (
    fill,
    first,
    is_searched,
    nest,
    parse_searched,
    probes,
    tree,
    written,
)
from toolkit.space import Choice, Float, Int, Leaf, decisions, validate

names = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=8)
paths = st.lists(names, min_size=1, max_size=4).map(tuple)
numbers = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), numbers, st.text(max_size=10))
data = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=10,
)


def read(text: str) -> Any:
    faults = Faults()
    document = parse_yaml(text, "text", faults, lambda part: part)
    assert not faults.found, faults.found
    assert document is not None
    return document.data


@given(paths, st.sampled_from(["set", "append"]), st.text())
def test_an_override_survives_being_written_and_read(path: Any, action: Any, value: str) -> None:
    override = Override(path, action, value)
    assert parse_override(str(override)) == override


@given(paths)
def test_a_removal_survives_being_written_and_read(path: Any) -> None:
    assert parse_override(f"~{'.'.join(path)}") == Override(path, "remove")


@given(st.text())
def test_any_text_is_an_override_or_a_value_error(text: str) -> None:
    try:
        override = parse_override(text)
    except ValueError:
        return
    assert str(override) == text


@pytest.mark.parametrize(
    "text", ["", "a", "=1", "a..b=1", ".a=1", "a.=1", "~", "~a=1", "~a..b", "a b=1", "+=1", "a+b"]
)
def test_these_are_no_overrides(text: str) -> None:
    with pytest.raises(ValueError, match="is no override"):
        parse_override(text)


@given(data)
def test_json_is_read_as_json(value: Any) -> None:
    text = json.dumps(value)
    faults = Faults()
    document = parse_yaml(text, "text", faults, lambda part: part)
    if document is None or faults.found:
        assert "\x7f" in text  # YAML's character set lacks it unescaped
        return
    assert document.data == value
    assert type(document.data) is type(value)


@given(paths, data.filter(lambda value: "\x7f" not in json.dumps(value)))
def test_what_is_set_is_there_and_the_rest_stays(path: Any, value: Any) -> None:
    document = Document({"other.": 1})
    faults = Faults()
    apply_override(document, f"{'.'.join(path)}={json.dumps(value)}", 0, faults, lambda part: part)
    assert not faults.found
    found = document.data
    assert found.pop("other.") == 1
    for name in path:
        found = found[name]
    assert found == value


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.lr=0.01", {"train": {"lr": 0.01}, "space": "toy", "list": [1, 2], "deep": None}),
        ("space.ops+=[x]", {"space": {"name": "toy", "ops": ["x"]}, "list": [1, 2], "deep": None}),
        ("list+=[3, 4]", {"space": "toy", "list": [1, 2, 3, 4], "deep": None}),
        ("list+=3", {"space": "toy", "list": [1, 2, 3], "deep": None}),
        ("list.1=5", {"space": "toy", "list": [1, 5], "deep": None}),
        ("deep.a.b={c: 1}", {"space": "toy", "list": [1, 2], "deep": {"a": {"b": {"c": 1}}}}),
        ("~list", {"space": "toy", "deep": None}),
        ("space=other", {"space": "other", "list": [1, 2], "deep": None}),
        ("list=~", {"space": "toy", "list": None, "deep": None}),
        ("a=b=c", {"space": "toy", "list": [1, 2], "deep": None, "a": "b=c"}),
    ],
)
def test_an_override_changes_the_document(override: str, expected: dict[str, Any]) -> None:
    document = Document({"space": "toy", "list": [1, 2], "deep": None})
    faults = Faults()
    apply_override(document, override, 0, faults, lambda part: part)
    assert not faults.found
    assert document.data == expected


def test_a_word_stands_for_a_mapping_where_keys_below_it_are_given() -> None:
    document = Document({"validation": "folds"})
    apply_override(document, "validation.outer=~", 0, Faults(), lambda part: part)
    assert document.data == {"validation": {"folds": 5, "outer": None}}


@pytest.mark.parametrize(
    "text",
    [
        *("session #2.npz", "#2.npz", "@home.npz", "`a`", "%tmp.npz", "*.npz", "&a.npz", "!x.npz"),
        *("[1].npz", "[a, b] copy", "[1, 2] # two", "{a}.npz", "{a: 1}.npz", "'a' b", '"a".npz'),
        *(
            "C:\\data\\new.npz",
            "\\\\server\\x",
            "it's.npz",
            "a  b.npz",
            "my file: 2.npz",
            "|x",
            "> y",
        ),
        *(
            "a, b.npz",
            "--- x",
            "...",
            "(1).npz",
            "50% of #1",
            "x?.npz",
            "a=b",
            "${HOME}/x",
            "ünï.npz",
        ),
    ],
)
def test_text_is_what_was_typed(text: str) -> None:
    document, faults = Document({}), Faults()
    apply_override(document, f"task.data={text}", 0, faults, lambda part: part)
    assert not faults.found
    assert document.data == {"task": {"data": text}}


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[{'\"\n:"), min_size=1))
def test_text_without_yaml_in_it_is_never_changed_but_at_its_ends(text: str) -> None:
    document, faults = Document({}), Faults()
    apply_override(document, f"a={text}", 0, faults, lambda part: part)
    given_back = document.data.get("a")
    if text.strip() and not faults.found and not text.strip().startswith(("- ", "? ")):
        assert given_back == parse_scalar(text.strip())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'session #2.npz'", "session #2.npz"),
        ('"a\\tb"', "a\tb"),
        ("[1, [a, '#']]", [1, ["a", "#"]]),
        ("{a: 1, b: {c: x}}", {"a": 1, "b": {"c": "x"}}),
        (" 0.5 ", 0.5),
        ("a: 1", {"a": 1}),
        ("- a", ["a"]),
        ("a: 1\nb: 2", {"a": 1, "b": 2}),
    ],
)
def test_what_is_written_as_yaml_is_read_as_yaml(text: str, value: Any) -> None:
    document, faults = Document({}), Faults()
    apply_override(document, f"key={text}", 0, faults, lambda part: part)
    assert not faults.found
    assert document.data == {"key": value}


@pytest.mark.parametrize(
    "text",
    [
        *("{data: a #1.npz}", "{data: @x}", "{data: *.npz}", "{data: &a x}", "{data: !x y}"),
        *("[1.npz", "{a", "'a", '"a', '"C:\\data"', "[a #1].npz"),
    ],
)
def test_what_has_to_be_quoted_is_answered_with_how(text: str) -> None:
    faults = Faults()
    apply_override(Document({}), f"task={text}", 0, faults, lambda part: part)
    assert faults.found
    assert all("goes into single quotes" in fault.text for fault in faults.found)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("list.2=5", "2 is no position in a list of 2, counted from 0"),
        ("list.x=5", "x is no position in a list of 2, counted from 0"),
        ("~list.0", "items of a list cannot be removed, give the whole list"),
        ("~lst", "the recipe gives no lst, nothing to remove (did you mean list?)"),
        ("~a.b", "there is no a"),
        ("number.x=5", "number is 3, which holds no keys"),
    ],
)
def test_an_override_that_does_not_fit_says_why(override: str, words: str) -> None:
    before = {"list": [1, 2], "number": 3}
    document = Document({"list": [1, 2], "number": 3})
    faults = Faults()
    apply_override(document, override, 0, faults, lambda part: part)
    assert [fault.text for fault in faults.found] == [words]
    assert document.data == before


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.", 1.0),
        (".5", 0.5),
        ("-3", -3),
        ("0x1F", 31),
        ("0o17", 15),
        ("007", 7),
        ("true", True),
        ("~", None),
        ("yes", "yes"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    assert parse_scalar(text) == value
    assert type(parse_scalar(text)) is type(value)


@st.composite
def leaves(draw: st.DrawFn) -> Leaf:
    kind = draw(st.sampled_from(["int", "uniform", "log", "choice"]))
    if kind == "choice":
        options = draw(st.lists(scalars, min_size=1, max_size=4, unique_by=lambda v: (type(v), v)))
        return Choice(options)
    if kind == "int":
        low, high = sorted(draw(st.tuples(st.integers(), st.integers())))
        return Int(low, high)
    bound = st.floats(1e-300 if kind == "log" else -1e300, 1e300)
    low, high = sorted(draw(st.tuples(bound, bound)))
    return Float(low, high, log=kind == "log")


@given(leaves())
def test_a_searched_value_survives_being_written_and_read(leaf: Leaf) -> None:
    text = json.loads(json.dumps(written(leaf)))
    assert is_searched(text)
    assert parse_searched(text) == leaf


@given(leaves())
def test_probes_are_values_of_the_leaf(leaf: Leaf) -> None:
    for _, value in [*probes(leaf), (0, first(leaf))]:
        validate(leaf, value)


@given(
    st.dictionaries(st.sampled_from(["a", "b.c", "b.d", "e.f.0", "e.f.2"]), leaves(), max_size=5)
)
def test_a_point_of_the_tree_fills_the_block(searched: dict[str, Leaf]) -> None:
    block = {"a": 0, "b": {"c": 0, "kept": 1}, "e": {"f": [0, 1, 2]}}
    point = nest({path: first(leaf) for path, leaf in searched.items()})
    assert set(decisions(tree(searched), point)) == set(searched)
    filled = fill(block, point)
    assert filled["b"]["kept"] == 1
    assert filled["e"]["f"][1] == 1
    for path, leaf in searched.items():
        value: Any = filled
        for name in path.split("."):
            value = value[int(name)] if isinstance(value, list) else value[name]
        assert value == first(leaf)
    assert block == {"a": 0, "b": {"c": 0, "kept": 1}, "e": {"f": [0, 1, 2]}}


def test_blanks_around_a_value_are_kept_where_a_path_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (" x", "x", "y ", "7"):
        Path(name).touch()
    for text, value in ((" x", " x"), ("y ", "y "), (" z", "z"), (" 7", 7), ("x ", "x")):
        document, faults = Document({}), Faults()
        apply_override(document, f"task.data={text}", 0, faults, lambda part: part)
        assert not faults.found and document.data == {"task": {"data": value}}


def test_bytes_that_are_no_text_are_answered_with_what_to_do() -> None:
    document, faults = Document({}), Faults()
    apply_override(document, "task.data=caf\udce9.npz", 0, faults, lambda part: part)
    (fault,) = faults.found
    assert "bytes that are no UTF-8" in str(fault) and "give a link to it" in str(fault)
