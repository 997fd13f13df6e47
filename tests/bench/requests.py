"""Requests a second of the API's commonest calls, beside an API that does nothing."""

from urllib.parse import urlsplit

from tests.bench.floors import least_api
from tests.bench.load import Rate, answers_per_second, request
from tests.bench.report import Detail, Report, number
from tests.bench.setting import Setting
from tests.bench.up import Up

_CONNECTIONS = 8
_MESSAGES = 20
_MESSAGE = b'{"role": "user", "content": "What is the capital of Assyria?"}'
_READ, _WRITE = "GET one row", "POST one row"


async def measure(setting: Setting) -> Report:
    """One API process and one load generator, on the cores they share with Postgres."""
    report = Report(
        f"Requests a second: one API process, {_CONNECTIONS} kept connections",
        floor="FastAPI on the same uvicorn settings that reads one constant row, or for "
        "POST writes one (SQLAlchemy Core, the same Postgres).",
    )
    seconds = setting.times(5, 1)
    environment = {"ASSISTANTS_API_PROCESSES": "1"}
    with setting.up(environment=environment) as up:
        rates = await _least(up, seconds)
        ours, cpu = await _ours(up, seconds)
        rates |= ours
    for name, rate in rates.items():
        least = _WRITE if name.startswith("POST") else _READ
        is_ours = name in ours
        report.add(
            name if is_ours else f"floor: {name}",
            rate.per_second,
            "/s",
            floor=rates[least].per_second if is_ours else None,
            more_is_better=True,
        )
    report.details.append(
        Detail(
            "An answer takes",
            ["", "p50 ms", "p99 ms", "CPU ms of the API"],
            [
                [name, number(rate.p50_ms), number(rate.p99_ms), cpu.get(name, "")]
                for name, rate in rates.items()
            ],
        )
    )
    return report


async def _least(up: Up, seconds: float) -> dict[str, Rate]:
    with least_api(up) as port:
        wanted = {
            "GET hello": request("GET", "/hello"),
            _READ: request("GET", "/row"),
            _WRITE: request("POST", "/row"),
        }
        return {name: await _rate(port, raw, seconds) for name, raw in wanted.items()}


async def _ours(up: Up, seconds: float) -> tuple[dict[str, Rate], dict[str, str]]:
    """Each call's rate, and the API's computing time an answer."""
    port = urlsplit(up.url).port or 0
    async with up.client() as client:
        assistant = await client.beta.assistants.create(model="builtin")
        run = await client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id,
            thread={"messages": [{"role": "user", "content": "Who are you?"}]},
        )
        full = await client.beta.threads.create(
            messages=[{"role": "user", "content": "Hello."}] * _MESSAGES
        )
        empty = await client.beta.threads.create()
        filled = await client.beta.threads.create()
    thread = f"/v1/threads/{run.thread_id}"
    post = f"/v1/threads/{filled.id}/messages"
    wanted = {
        "GET run": request("GET", f"{thread}/runs/{run.id}", key=up.key),
        f"GET messages ({_MESSAGES})": request(
            "GET", f"/v1/threads/{full.id}/messages", key=up.key
        ),
        "GET thread": request("GET", f"/v1/threads/{empty.id}", key=up.key),
        "POST message": request("POST", post, key=up.key, body=_MESSAGE),
    }
    rates, cpu = {}, {}
    for name, raw in wanted.items():
        before = up.cpu_seconds("api")
        rates[name] = await _rate(port, raw, seconds)
        spent = up.cpu_seconds("api") - before
        cpu[name] = number(spent / rates[name].answers * 1000)
    return rates, cpu


async def _rate(port: int, raw: bytes, seconds: float) -> Rate:
    return await answers_per_second(
        port, raw, connections=_CONNECTIONS, seconds=seconds
    )
