"""Channels: whole messages out of whatever pieces the bytes come in."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.contracts import Noted, Reported, Started
from toolkit.contracts.coding import EVENT, MessageError, encode
from toolkit.executors import channel as module
from toolkit.executors.channel import Channel


class Ends:
    """Two channels that are connected."""

    def __init__(self, kind: str) -> None:
        if kind == "socket":
            self.near, self.far = map(Channel.over, socket.socketpair())
        else:
            (a, b), (c, d) = os.pipe(), os.pipe()
            self.near, self.far = Channel(a, d), Channel(c, b)

    def write(self, data: bytes) -> None:
        """Write bytes into the far end, whatever they are."""
        os.write(self.far._write_to, data)


@pytest.fixture(params=["pipes", "socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    made = Ends(request.param)
    yield made
    made.near.close()
    made.far.close()


def come(ends: Ends) -> list[object]:
    """What has come to the near end by now."""
    return list(ends.near.receive(EVENT, wait=False))


@given(st.lists(st.text(), max_size=5), st.data())
def test_messages_are_whole_however_their_bytes_are_cut(
    texts: list[str], data: st.DataObject
) -> None:
    ends = Ends("pipes")
    notes = [Noted(text) for text in texts]
    stream = b"".join(encode(note) + b"\n" for note in notes)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=4).map(sorted))
    received = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        ends.write(stream[begin:end])
        received += come(ends)
    assert received == notes
    ends.near.close()
    ends.far.close()


def test_both_ends_speak_and_nobody_waits_for_what_has_not_come(ends: Ends) -> None:
    assert come(ends) == []
    assert ends.near.send(Started("a")) and ends.far.send(Started("b"))
    assert come(ends) == [Started("b")]
    assert ends.far.receive_one(EVENT) == Started("a")
    assert come(ends) == [] and ends.near.open


def test_what_nobody_has_taken_yet_is_there_the_next_time(ends: Ends) -> None:
    for name in "abc":
        ends.far.send(Started(name))
    assert ends.near.receive_one(EVENT) == Started("a")
    assert next(ends.near.receive(EVENT)) == Started("b")
    assert come(ends) == [Started("c")]


def test_the_end_of_the_other_side_comes_after_all_it_said(ends: Ends) -> None:
    ends.far.send(Started("a"))
    ends.write(b'{"kind": "star')  # cut short by its death
    ends.far.close()
    assert ends.near.open
    assert list(ends.near.receive(EVENT)) == [Started("a")]
    assert not ends.near.open
    assert ends.near.receive_one(EVENT) is None
    assert not ends.near.send(Started("b")), "nobody is there to hear it"


@pytest.mark.faults
def test_junk_is_told_and_what_follows_is_heard(ends: Ends) -> None:
    ends.write(b"\xff junk\n\n" + encode(Started("a")) + b"\n")
    for _ in range(2):
        with pytest.raises(MessageError):
            come(ends)
    assert come(ends) == [Started("a")]


@pytest.mark.faults
def test_a_line_without_end_is_junk(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", 100)
    ends.write(b"x" * 101)
    with pytest.raises(MessageError, match="more than 100 bytes"):
        come(ends)


def test_a_message_larger_than_any_pipe_comes_whole(ends: Ends) -> None:
    large = Reported("a", 1, {}, {"curve": [0.5] * 300_000})
    writer = threading.Thread(target=ends.far.send, args=(large,))
    writer.start()
    assert ends.near.receive_one(EVENT) == large
    writer.join()


@pytest.mark.faults
def test_names_that_are_no_utf8_cost_a_letter_not_the_message(ends: Ends) -> None:
    ends.far.send(Noted("caf\udce9 \x00 \N{SNOWMAN}"))
    assert come(ends) == [Noted("caf? \x00 \N{SNOWMAN}")]


def test_only_plain_values_are_sent(ends: Ends) -> None:
    with pytest.raises(TypeError, match="object is no plain value"):
        ends.far.send(Reported("a", 1, {}, {"thing": object()}))
    assert come(ends) == []
