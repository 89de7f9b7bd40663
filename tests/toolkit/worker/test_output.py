"""Logs of jobs: all of a short one, head and tail of a long one, whatever ends the job."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolkit.base.secrets import hide
from toolkit.worker.bounded_log import BoundedLog
from toolkit.worker.output import JobOutput

pytestmark = pytest.mark.faults
LIMIT = 20_000


def lines(first: int, last: int) -> bytes:
    return b"".join(b"line %07d\n" % number for number in range(first, last))


@pytest.mark.parametrize("chunk", [1, 100, 10_000])
def test_head_and_tail_of_a_long_log_are_kept(chunk: int, tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = BoundedLog(str(path), LIMIT)
    for first in range(0, 20_000, chunk):
        log.write(lines(first, first + chunk))
        assert path.stat().st_size <= LIMIT + 100
    log.close()
    text = path.read_bytes()
    head, count, tail = re.split(rb"\n\[\.\.\. (\d+) bytes left out[^\n]*\n", text)
    whole = lines(0, 20_000)
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert len(head) == LIMIT // 4
    assert len(tail) >= LIMIT // 2 - 20
    assert len(head) + int(count) + len(tail) == len(whole)
    assert tail.startswith(b"line")


def test_a_later_attempt_goes_on_with_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for first in range(0, 5000, 500):
        log = BoundedLog(str(path), LIMIT)
        log.write(lines(first, first + 500))
        log.close()
    text = path.read_bytes()
    assert text.count(b"left out") == 1
    assert text.startswith(lines(0, 100))
    assert text.endswith(lines(4900, 5000))


@pytest.mark.parametrize("chunk", [1, 5, 1000])
def test_a_hidden_value_is_not_kept_however_it_comes(chunk: int, tmp_path: Path) -> None:
    hidden = [("s3kr3t-s3kr3t-9917", "${env:TOKEN}"), ("s3kr", "${env:PIN}")]
    log = BoundedLog(str(tmp_path / "log"), LIMIT, hidden)
    said = b"a s3kr3t-s3kr3t-9917, s3kr3t-s3kr3t-s3kr3t-9917 and s3k"
    for start in range(0, len(said), chunk):
        log.write(said[start : start + chunk])
    log.flush()
    assert (tmp_path / "log").read_bytes().endswith(b" and s3k"), "what is none is not held back"
    log.close()
    text = (tmp_path / "log").read_text()
    assert text == "a ${env:TOKEN}, ${env:PIN}3t-${env:TOKEN} and s3k"


def test_what_a_job_and_its_children_print_is_masked(tmp_path: Path) -> None:
    hide('geh"eim-ß/9917', "${env:TOKEN}")
    output = JobOutput()
    with output.redirected(tmp_path / "job", LIMIT):
        os.write(1, json.dumps(['geh"eim-ß/9917']).encode())
        os.write(1, b" geh%22eim-%C3%9F%2F9917")
        subprocess.run(["sh", "-c", "echo $0 >&2", 'geh"eim-ß/9917'], check=True)
    assert (tmp_path / "job/stdout.log").read_text() == '["${env:TOKEN}"] ${env:TOKEN}'
    assert (tmp_path / "job/stderr.log").read_text() == "${env:TOKEN}\n"


def test_what_is_printed_beside_the_jobs_is_masked_too(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys\nfrom pathlib import Path\n"
        "from toolkit.base.secrets import hide\n"
        "from toolkit.worker.output import JobOutput\n"
        "print('before')\n"
        "hide('geheim-9917', '${env:TOKEN}')\n"
        "output = JobOutput()\n"
        "output.mask()\n"
        "print('imported with geheim-9917', flush=True)\n"
        "with output.redirected(Path(sys.argv[1]), 20_000):\n"
        "    print('at work', flush=True)\n"
        "subprocess.run(['echo', 'a child has geheim-9917'], check=True)\n"
        "raise RuntimeError('geheim-9917')\n"
    )
    log = tmp_path / "engine.log"
    with log.open("w") as stream:
        stream.write("an engine's line\n")
        stream.flush()
        command = [sys.executable, "-c", code, str(tmp_path)]
        ended = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False)
    assert ended.returncode == 1
    until = time.monotonic() + 30
    while "RuntimeError" not in log.read_text() and time.monotonic() < until:
        time.sleep(0.01)
    text = log.read_text()
    assert text.startswith("an engine's line\nbefore\n"), "nothing is lost or written over"
    assert "imported with ${env:TOKEN}\n" in text and "a child has ${env:TOKEN}\n" in text
    assert text.rstrip().endswith("RuntimeError: ${env:TOKEN}") and "geheim" not in text
    assert (tmp_path / "stdout.log").read_text() == "at work\n"


def test_nothing_is_kept_where_it_cannot_be_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("no process can be started")

    hide("geheim-9917", "${env:TOKEN}")
    monkeypatch.setattr(subprocess, "run", refuse)
    with JobOutput().redirected(tmp_path, LIMIT):
        os.write(1, b"geheim-9917")
    assert not (tmp_path / "stdout.log").exists()


def test_a_short_log_is_whole_and_there_when_the_job_has_ended(tmp_path: Path) -> None:
    output = JobOutput()
    for name in ("first", "second"):
        with output.redirected(tmp_path / name, LIMIT):
            os.write(1, b"told\n")
            os.write(2, b"complained\n")
        assert (tmp_path / name / "stdout.log").read_text() == "told\n"
        assert (tmp_path / name / "stderr.log").read_text() == "complained\n"


def test_the_last_words_of_a_job_that_dies_are_kept(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from toolkit.worker.output import JobOutput\n"
        "with JobOutput().redirected(Path(sys.argv[1]), 20_000):\n"
        "    os.write(1, b'x' * 10**7)\n"
        "    os.write(1, b'last words')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert ended.returncode == -9
    until = time.monotonic() + 30
    text = b""
    while not text.endswith(b"last words") and time.monotonic() < until:
        time.sleep(0.01)
        text = (tmp_path / "stdout.log").read_bytes()
    assert text.endswith(b"last words")
    assert len(text) <= 20_000


def test_a_job_has_no_child_that_it_did_not_start(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from toolkit.worker.output import JobOutput\n"
        "with JobOutput().redirected(Path(sys.argv[1]), 20_000):\n"
        "    try:\n        os.wait()\n    except ChildProcessError:\n        print('none')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60)
    assert (tmp_path / "stdout.log").read_text() == "none\n"


@pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
def test_what_is_in_a_logs_place_is_left_alone_and_holds_nobody_up(
    tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "job" / "stdout.log"
    place.parent.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    if kind == "folder":
        place.mkdir()
    elif kind == "fifo":
        os.mkfifo(place)
    else:
        place.symlink_to(victim)
    with JobOutput().redirected(place.parent, LIMIT):
        os.write(1, b"x" * 300_000)
        os.write(2, b"told\n")
    assert victim.read_text() == "precious"
    assert (place.parent / "stderr.log").read_bytes() == b"told\n"
