"""The embedded Postgres: made, started, killed, started again."""

import os
import signal
from pathlib import Path

import psycopg
import pytest

from runtime.local import postgres
from runtime.local.failure import CannotStart


@pytest.fixture
def cluster(tmp_path: Path) -> postgres.Cluster:
    return postgres.Cluster(
        data_dir=tmp_path / "postgres", socket_dir=tmp_path / "pg", durable=False
    )


def _connect(cluster: postgres.Cluster) -> psycopg.Connection[tuple[object, ...]]:
    url = cluster.url().replace("postgresql+psycopg", "postgresql", 1)
    return psycopg.connect(url, autocommit=True)


def _postmaster(cluster: postgres.Cluster) -> int:
    return int((cluster.data_dir / "postmaster.pid").read_text().split()[0])


def test_it_has_pgvector_and_listens_nowhere_but_on_its_socket(
    cluster: postgres.Cluster,
) -> None:
    with postgres.running(cluster), _connect(cluster) as connection:
        connection.execute("CREATE EXTENSION vector")
        row = connection.execute(
            "SELECT '[1,2]'::vector <-> '[1,4]', current_setting('listen_addresses'),"
            " current_setting('server_version_num')::int / 10000"
        ).fetchone()

    assert row == (2.0, "", 18)
    assert cluster.socket_dir.stat().st_mode & 0o777 == 0o700


def test_data_outlives_a_kill(cluster: postgres.Cluster) -> None:
    with postgres.running(cluster):
        with _connect(cluster) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
            # The control file is what recovery starts from; fsync is off here.
            connection.execute("CHECKPOINT")
        os.kill(_postmaster(cluster), signal.SIGKILL)

    assert (cluster.data_dir / "postmaster.pid").exists()
    with postgres.running(cluster), _connect(cluster) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)


def test_a_stale_pid_that_now_belongs_to_another_program_is_no_obstacle(
    cluster: postgres.Cluster,
) -> None:
    with postgres.running(cluster):
        lines = (cluster.data_dir / "postmaster.pid").read_text().splitlines()
    lines[0] = str(os.getppid())
    (cluster.data_dir / "postmaster.pid").write_text("\n".join(lines) + "\n")

    with postgres.running(cluster), _connect(cluster) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_data_of_another_major_version_is_refused_with_the_way_out(
    cluster: postgres.Cluster,
) -> None:
    cluster.data_dir.mkdir()
    (cluster.data_dir / "PG_VERSION").write_text("16\n")

    with pytest.raises(CannotStart, match=r"made by PostgreSQL 16.*Dump it"):
        postgres.initialise(cluster)


def test_an_interrupted_setup_is_done_afresh(cluster: postgres.Cluster) -> None:
    unfinished = cluster.data_dir.with_name("postgres.unfinished")
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")

    with postgres.running(cluster), _connect(cluster) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not unfinished.exists()


def test_a_socket_directory_of_somebody_else_is_not_used(
    cluster: postgres.Cluster, tmp_path: Path
) -> None:
    cluster.socket_dir.symlink_to(tmp_path)

    with pytest.raises(CannotStart, match="belongs to somebody else"):
        postgres.initialise(cluster)
