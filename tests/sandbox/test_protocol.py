"""Frames, names and text: what both sides make of what the other sends."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import protocol, safe_name
from sandbox.limits import Limits, create_request, unmet
from sandbox.outcome import clean_text, read_outcome, read_sizes


@given(st.lists(st.dictionaries(st.text(), st.text())), st.integers(1, 50))
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    frames: list[protocol.Frame], size: int
) -> None:
    stream = b"".join(map(protocol.encode, frames))
    reader = protocol.FrameReader()

    pieces = (stream[at : at + size] for at in range(0, len(stream), size))

    assert [frame for piece in pieces for frame in reader.feed(piece)] == frames


@pytest.mark.parametrize(
    "line", [b"", b"null", b"[]", b"{", b"\xff", b"[" * 100_000, b'"x"', b"NaN"]
)
def test_a_line_that_is_no_frame_is_dropped(line: bytes) -> None:
    reader = protocol.FrameReader()

    assert reader.feed(line + b'\n{"id":"1"}\n') == [{"id": "1"}]


def test_a_line_without_end_is_refused_before_it_fills_memory() -> None:
    reader = protocol.FrameReader(max_frame_bytes=1000)

    with pytest.raises(protocol.FrameError):
        for _ in range(20):
            reader.feed(b"x" * 100)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "a\x00", "a\n", "\udcff", "x" * 256, "é" * 128, 5, None],
)
def test_what_cannot_name_a_file_is_refused(name: object) -> None:
    assert not protocol.is_clean_name(name)


@pytest.mark.parametrize("name", ["/etc/passwd", "a/../b", "a//b", "/".join("x" * 9)])
def test_a_path_may_not_leave_the_folder_or_be_too_deep(name: str) -> None:
    assert not protocol.is_clean_name(name, folders=True)


@given(st.text())
def test_a_safe_name_is_always_a_usable_name(name: str) -> None:
    assert protocol.is_clean_name(safe_name(name))


@pytest.mark.parametrize("name", ["データ 📊.csv", 'it\'s "quoted".txt', "a b.tar.gz"])
def test_a_usable_name_is_kept_as_it_is(name: str) -> None:
    assert safe_name(name) == name


def test_an_overlong_name_keeps_its_extension() -> None:
    name = safe_name("é" * 300 + ".csv")

    assert name.endswith("é.csv")
    assert len(name.encode()) <= 255


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("nul\x00 bell\x07 tab\t", "nul bell tab\t"),
        ("10%\r50%\r100%\ndone\r\n", "100%\ndone\n"),
        ("lone \ud800 surrogate", "lone  surrogate"),
    ],
)
def test_text_is_left_as_a_terminal_would_show_it(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


@pytest.mark.parametrize(
    "piece", ["x", "\x1b", "\x1b[0", "\x1b]", "\r", "\r\n", "\x00"]
)
def test_cleaning_takes_no_longer_for_hostile_text(piece: str) -> None:
    began = time.monotonic()

    clean_text(piece * (protocol.MAX_OUTPUT_BYTES // len(piece)))

    assert time.monotonic() - began < 1.0


def test_a_malformed_outcome_is_believed_only_where_it_is_well_formed() -> None:
    frame = {
        "status": "splendid",
        "logs": 5,
        "files": [["../../etc/passwd", 1], ["ok.txt", 3], ["big", -1], ["b", True], 7],
        "gone": ["../x", 3, "old.txt"],
        "variables_lost": "yes",
    }

    outcome = read_outcome(frame, [b"\x89PNG\r\n\x1a\nrest", b"<svg onload=...>"])

    assert outcome.status == "crashed"
    assert outcome.logs == ""
    assert [file.name for file in outcome.files] == ["ok.txt"]
    assert outcome.gone == ["old.txt"]
    assert len(outcome.images) == 1
    assert outcome.variables_lost is False


def test_a_guest_that_claims_too_many_bytes_is_not_believed() -> None:
    files = [[f"{n}", protocol.MAX_FILE_BYTES] for n in range(9)]

    outcome = read_outcome({"status": "ok", "logs": "", "files": files}, [])

    assert [file.name for file in outcome.files] == ["0", "1"]


def test_a_malformed_listing_is_read_as_far_as_it_goes() -> None:
    assert read_sizes({"a": 1, "../b": 2, "c": "3", "d/e": 4}) == {"a": 1, "d/e": 4}
    assert read_sizes([1]) == {}


def test_every_missing_restriction_is_named() -> None:
    for runtime in (None, "runc", "crun", "of-a-name-we-do-not-know"):
        assert len(unmet({}, runtime, Limits())) == 11
    for runtime in ("runsc", "kata"):
        assert len(unmet({}, runtime, Limits())) == 6


def test_nothing_of_the_host_is_given_to_a_container() -> None:
    request = create_request(
        image="i",
        instance="t",
        runtime="runsc",
        idle_seconds=1,
        life_seconds=1,
        limits=Limits(),
    )

    host = request["HostConfig"]
    assert "Env" not in request and "ExposedPorts" not in request
    assert not {"Binds", "Mounts", "PortBindings", "Devices"} & host.keys()
    assert host["Runtime"] == "runsc"
    profile = json.loads(host["SecurityOpt"][1].removeprefix("seccomp="))
    allowed = {name for rule in profile["syscalls"] for name in rule["names"]}
    forbidden = "ptrace bpf mount unshare setns io_uring_setup keyctl perf_event_open"
    assert not allowed & set(forbidden.split())
    assert not allowed & {"userfaultfd", "process_vm_readv", "pidfd_getfd", "add_key"}
