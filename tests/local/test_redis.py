"""The embedded Redis: started, killed, started again on the same socket."""

import subprocess
import time
from pathlib import Path
from signal import SIGTERM

from redis import Redis

from runtime.local import launch, redis


def _start(socket_path: Path) -> subprocess.Popen[bytes]:
    argv = launch.command(redis.command(socket_path), death_signal=SIGTERM)
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not redis.is_ready(socket_path):
        assert server.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    return server


def test_it_serves_again_after_a_kill_and_keeps_nothing_on_disk(tmp_path: Path) -> None:
    socket_path = tmp_path / "redis.sock"
    server = _start(socket_path)
    try:
        with Redis.from_url(f"unix://{socket_path}") as client:
            client.set("nudge", "1")
            assert client.config_get("save")["save"] == ""
        server.kill()
        server.wait()
        assert not redis.is_ready(socket_path)

        server = _start(socket_path)
        with Redis.from_url(f"unix://{socket_path}") as client:
            assert client.get("nudge") is None
    finally:
        server.terminate()
        server.wait()
    assert list(tmp_path.glob("*.rdb")) == []


def test_only_its_owner_may_connect(tmp_path: Path) -> None:
    server = _start(tmp_path / "redis.sock")
    try:
        assert (tmp_path / "redis.sock").stat().st_mode & 0o777 == 0o600
    finally:
        server.terminate()
        server.wait()
