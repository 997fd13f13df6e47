"""The API's port: taken early, and in words when it cannot be."""

import socket

import pytest

from runtime.local.failure import CannotStart
from runtime.local.listener import address, base_url, listen


def test_port_zero_takes_any_free_one() -> None:
    with listen("127.0.0.1", 0) as listener:
        host, port = address(listener)
        assert host == "127.0.0.1" and port > 0
        assert base_url(listener) == f"http://127.0.0.1:{port}"


def test_every_address_is_reached_at_the_loopback_one() -> None:
    with listen("0.0.0.0", 0) as listener:
        assert address(listener)[0] == "127.0.0.1"


def test_a_taken_port_is_named_with_the_setting_that_changes_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"Port {port} .* ASSISTANTS_PORT"):
            listen("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_a_sentence() -> None:
    with pytest.raises(CannotStart, match="ASSISTANTS_HOST"):
        listen("192.0.2.1", 0)
