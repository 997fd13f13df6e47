"""The words of `/openapi.json` that belong to no single route."""

from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

DESCRIPTION = """\
A self-hosted drop-in for OpenAI's Assistants API, version 2.

- **Key.** `Authorization: Bearer KEY`, or `api-key: KEY` as Azure's clients send it.
  Azure's addresses lead here too: `/openai/assistants?api-version=…` is `/v1/assistants`.
- **Refusals.** Whatever fails answers `{"error": {message, type, param, code}}`; `param`
  names the field, as `tools[0].function.name`. What is invalid is 400, never 422. An
  unknown address is 404, a wrong verb 405 with `Allow`.
- **Null and absent** differ: `null` clears a field where the schema allows it, a field
  left out stays as it is. Unknown fields are refused.
- **Retries.** Every POST takes an `Idempotency-Key`.
"""

TAGS: list[Schema] = [
    {"name": "assistants", "description": "A model with instructions and tools."},
    {"name": "threads", "description": "Conversations."},
    {"name": "messages", "description": "What was said on a thread."},
    {"name": "runs", "description": "An assistant's answers, and the steps to them."},
    {"name": "vector stores", "description": "Files made searchable, and the search."},
    {"name": "files", "description": "Files as they were uploaded, or made by code."},
    {"name": "uploads", "description": "Large files that come in parts."},
    {"name": "chat", "description": "The models themselves, passed through."},
    {"name": "embeddings", "description": "Vectors of texts."},
    {"name": "models", "description": "What may be named as a model."},
    {"name": "health", "description": "For those who operate the runtime: no key."},
]

SECURITY_SCHEMES: Schema = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "api-key"},
}
SECURITY: list[Schema] = [{"bearer": []}, {"apiKey": []}]

IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Within 24 hours, the same key and request again get the first answer, "
    "without a second effect and with `idempotency-replayed: true`; another request under "
    "the same key is refused.",
    # HTTP takes spaces off both ends.
    "schema": {"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"},
}

HEADERS: Schema = {
    "x-request-id": {
        "description": "Names this request in the server's log.",
        "schema": {"type": "string"},
    },
    "openai-processing-ms": {
        "description": "Milliseconds until the answer began.",
        "schema": {"type": "integer"},
    },
    "openai-version": {"schema": {"type": "string"}},
    "Retry-After": {
        "description": "Seconds to wait before the next attempt.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {"schema": {"type": "string"}},
}


def _headers(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


EVERY_ANSWER = _headers("x-request-id", "openai-processing-ms", "openai-version")
"""The headers that no answer is without."""


def _event_stream(description: str, event: Schema) -> Schema:
    schema = {
        "type": "string",
        "contentMediaType": "text/event-stream",
        "contentSchema": {"type": "array", "items": event},
    }
    return {
        "description": description,
        "content": {"text/event-stream": {"schema": schema}},
    }


RUN_STREAM = _event_stream(
    "A run's events, each `event: name` and one line of `data`, up to `done`.",
    {"$ref": "#/components/schemas/AssistantStreamEvent"},
)
RUN_OR_STREAM = {
    **RUN_STREAM,
    "description": "The run; its events if `stream` is true.",
}
CHAT_OR_STREAM = {
    "description": "The upstream's answer, unchanged; its chunks if `stream` is true.",
    "content": {
        "application/json": {"schema": {"type": "object"}},
        **_event_stream("", {"type": "object"})["content"],
    },
}
BYTES = {
    "description": "The bytes, as the media type that they were uploaded as.",
    "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
}


_CHECKS = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {
                name: {"type": "string"}
                for name in ("status", "database", "redis", "worker")
            },
            "required": ["status", "database", "redis", "worker"],
        }
    }
}
READY = {"description": "All parts answer.", "content": _CHECKS}
UNREADY = {"description": "A part does not answer.", "content": _CHECKS}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A way to fail that many operations share."""

    name: str
    description: str
    headers: tuple[str, ...] = ()

    @property
    def response(self) -> Schema:
        """What stands below `components.responses`."""
        envelope = {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}
        return {
            "description": self.description,
            "headers": EVERY_ANSWER | _headers(*self.headers),
            "content": {"application/json": envelope},
        }


REFUSALS = {
    400: Refusal("Invalid", "The request is wrong; `param` names the field."),
    401: Refusal("Unauthenticated", "No key, or a wrong one.", ("WWW-Authenticate",)),
    404: Refusal("NotFound", "This project has no such thing."),
    409: Refusal(
        "KeyInUse", "A twin, with this Idempotency-Key, is at work.", ("Retry-After",)
    ),
    413: Refusal("TooLarge", "More bytes than the message names as the limit."),
    415: Refusal("UnsupportedMediaType", "The body is in another form than this one."),
    429: Refusal("RateLimited", "Too much at once.", ("Retry-After",)),
    502: Refusal("UpstreamFailed", "The model server gave no usable answer."),
    503: Refusal("Unavailable", "A part is away for the moment; nothing was done."),
}

UPSTREAM_OPERATIONS = frozenset(
    {
        "createChatCompletion",
        "createEmbedding",
        "listModels",
        "retrieveModel",
        "searchVectorStore",
    }
)
"""Those that wait for a model server, and may be told that it failed."""


def refusal(status: int) -> Schema:
    """A shared refusal, for the `responses` of a route outside of `/v1`."""
    return REFUSALS[status].response
