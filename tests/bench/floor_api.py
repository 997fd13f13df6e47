"""The least an API could be: FastAPI that says hello, or reads or writes one row.

    python -m tests.bench.floor_api FD DATABASE_URL

Its pool is as large as the runtime's, and it is served with the same uvicorn settings,
on an inherited socket. (`uvicorn --fd` takes any socket for a unix one and leaves
Nagle's algorithm on: 44 ms an answer.)
"""

import sys

import uvicorn
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from runtime.local.listener import inherit

_POOL_SIZE = 10
# What `POST /row` needs; a worker of its own should not make it.
CREATE_TABLE = "CREATE TABLE IF NOT EXISTS floor (pk bigint GENERATED ALWAYS AS IDENTITY, said text)"


def make_app(database_url: str) -> FastAPI:
    """Hello; a row read; a row written."""
    app = FastAPI()
    engine = create_async_engine(database_url, pool_size=_POOL_SIZE)

    @app.get("/hello")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    @app.get("/row")
    async def row() -> dict[str, object]:
        async with engine.connect() as connection:
            found = await connection.execute(text("SELECT 1 AS pk, 'hello' AS said"))
            return dict(found.mappings().one())

    @app.post("/row")
    async def add_row() -> dict[str, object]:
        async with engine.begin() as connection:
            added = await connection.execute(
                text("INSERT INTO floor (said) VALUES ('hello') RETURNING pk, said")
            )
            return dict(added.mappings().one())

    return app


def main() -> None:
    """Serve until ended."""
    descriptor, database_url = sys.argv[1:]
    config = uvicorn.Config(
        make_app(database_url),
        loop="uvloop",
        http="httptools",
        ws="none",
        timeout_keep_alive=30,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[inherit(int(descriptor))])


if __name__ == "__main__":
    main()
