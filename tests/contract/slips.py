"""Where the official document's schemas do not say what is true, and what we hold instead.

Each slip is merged into the document before anything is compared with it. The reason is
either the document's own text, the official SDK, or a decision of ours in plain words.
One table, so that there is one place to look; its length is the document's doing.
"""

from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

_NAME = {"pattern": "^[a-zA-Z0-9_-]{1,64}$"}
_PAIRS = {
    "maxProperties": 16,
    "propertyNames": {"type": "string", "maxLength": 64},
    "additionalProperties": {"type": "string", "maxLength": 512},
}
_ALL_PURPOSES = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
_OWN_PLACE = {"page": {"type": "integer"}} | {
    f"char_{end}": {"type": "integer"} for end in ("start", "end")
}
_OWN_CITATION = {"filename": {"type": "string"}, **_OWN_PLACE}


@dataclass(frozen=True, slots=True)
class Slip:
    """One correction.

    `place` is a component and a path into it: property names, `[]` for the items of a
    list. `change` is merged into the schema there; None takes a key away.
    """

    place: str
    change: Schema
    reason: str


def _either(*branches: Schema) -> Schema:
    """A union in place of one object whose keys depend on one another."""
    return {
        "oneOf": list(branches),
        "properties": None,
        "required": None,
        "type": None,
        "additionalProperties": None,
    }


def _object(required: list[str], **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


_LISTS = (
    "Assistants",
    "Messages",
    "Runs",
    "RunSteps",
    "Files",
    "VectorStores",
    "VectorStoreFiles",
)
_NOT_NULL_OBJECTS = (
    "AssistantObject",
    "ThreadObject",
    "MessageObject",
    "RunObject",
    "RunStepObject",
    "VectorStoreObject",
)
_LONG_TEXTS = (
    "CreateRunRequest.instructions",
    "CreateRunRequest.additional_instructions",
    "CreateThreadAndRunRequest.instructions",
)
_MODELS = (
    "CreateAssistantRequest.model",
    "ModifyAssistantRequest.model",
    "CreateRunRequest.model",
    "CreateThreadAndRunRequest.model",
)
_NEW_STORES = (
    "CreateAssistantRequest.tool_resources.file_search",
    "CreateThreadRequest.tool_resources.file_search",
)
_BUSY_POLICY = {
    "anyOf": [
        {"type": "string", "enum": ["reject", "queue", "replace"]},
        {"type": "null"},
    ]
}
# Of an assistant or a thread, made or modified; and of a run that makes its thread.
_TOOL_RESOURCES = (
    *("CreateAssistantRequest", "ModifyAssistantRequest"),
    *("CreateThreadRequest", "ModifyThreadRequest", "CreateThreadAndRunRequest"),
)
_OR_NULL: Schema = {"anyOf": [{}, {"type": "null"}]}
_SCALARS: list[Schema] = [{"type": kind} for kind in ("string", "number", "boolean")]
_TEXT_OR_NUMBER: Schema = {"oneOf": _SCALARS[:2]}

SLIPS: list[Slip] = [
    Slip("Metadata", _PAIRS, "the text says 16 pairs, keys of 64, values of 512"),
    Slip("FunctionObject.name", _NAME, "the text says which names"),
    Slip(
        "ResponseFormatJsonSchema.json_schema.name", _NAME, "the text says which names"
    ),
    Slip(
        "AssistantsNamedToolChoice",
        _either(
            _object(
                ["type", "function"],
                type={"enum": ["function"]},
                function=_object(["name"], name={"type": "string"}),
            ),
            _object(
                ["type"],
                type={"enum": ["code_interpreter", "file_search"]},
                function=_object(["name"], name={"type": "string"}),
            ),
        ),
        "the text says that a function must be named",
    ),
    Slip(
        "TruncationObject",
        _either(
            _object(
                ["type"],
                type={"enum": ["auto"]},
                last_messages={
                    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]
                },
            ),
            _object(
                ["type", "last_messages"],
                type={"enum": ["last_messages"]},
                last_messages={"type": "integer", "minimum": 1},
            ),
        ),
        "the last how many messages, if it does not say",
    ),
    Slip(
        "ComparisonFilter",
        _either(
            _object(
                ["type", "key", "value"],
                type={"enum": ["eq", "ne", "gt", "gte", "lt", "lte"]},
                key={"type": "string"},
                value={"oneOf": _SCALARS},
            ),
            _object(
                ["type", "key", "value"],
                type={"enum": ["in", "nin"]},
                key={"type": "string"},
                value={"type": "array", "items": _TEXT_OR_NUMBER},
            ),
        ),
        "the text says that `in` and `nin` look into a list",
    ),
    Slip("RunObject.tools", {"maxItems": None}, "a run of an assistant of 128 tools"),
    Slip(
        "StaticChunkingStrategy.chunk_overlap_tokens",
        {"minimum": 0, "maximum": 50},
        "the text says at most half; 50 is half of the least size, which is tried here",
    ),
    *(
        Slip(
            f"{place}.vector_stores.[].chunking_strategy.static.chunk_overlap_tokens",
            {"minimum": 0, "maximum": 50},
            "as above",
        )
        for place in _NEW_STORES
    ),
    *(
        Slip(
            f"{place}.vector_stores.[].file_ids",
            {"maxItems": 10_000},
            "a hundred million ids do not fit a request",
        )
        for place in _NEW_STORES
    ),
    *(
        Slip(
            place,
            {"oneOf": None, "not": {"required": ["vector_store_ids", "vector_stores"]}},
            "neither is allowed too, as it is when an assistant is modified",
        )
        for place in _NEW_STORES
    ),
    *(Slip(place, {"minLength": 1}, "a model has a name") for place in _MODELS),
    *(
        Slip(
            place,
            {"maxLength": 256_000},
            "as long as an assistant's, which they replace",
        )
        for place in _LONG_TEXTS
    ),
    Slip(
        "CreateMessageRequest.content.0",
        {"minLength": 1, "maxLength": 256_000},
        "the guides say 256,000 characters; an empty message says nothing",
    ),
    Slip(
        "MessageRequestContentTextObject.text",
        {"minLength": 1},
        "an empty part says nothing",
    ),
    *(
        Slip(
            place, {"pattern": "^(https?://.|data:image/)"}, "its format is an address"
        )
        for place in (
            "MessageContentImageUrlObject.image_url.url",
            "MessageDeltaContentImageUrlObject.image_url.url",
        )
    ),
    Slip(
        "SubmitToolOutputsRunRequest.tool_outputs.[]",
        {"required": ["tool_call_id"]},
        "an output must say which call it answers",
    ),
    Slip(
        "CreateFileRequest",
        {"required": ["purpose"]},
        "the file itself is read from the form as it streams",
    ),
    Slip(
        "CreateFileRequest.file",
        {"not": {}},
        "the file itself is read from the form as it streams",
    ),
    Slip(
        "OpenAIFile.purpose",
        {
            "enum": [
                *_ALL_PURPOSES,
                "assistants_output",
                "batch_output",
                "fine-tune-results",
            ]
        },
        "the upload takes `evals`: such a file can be shown",
    ),
    Slip(
        "CreateUploadRequest.purpose", {"enum": _ALL_PURPOSES}, "the SDK offers all six"
    ),
    Slip("CreateUploadRequest.filename", {"minLength": 1}, "a file has a name"),
    Slip(
        "CreateUploadRequest.bytes",
        {"minimum": 1, "maximum": 8 * 1024**3},
        "the text says 8 GB",
    ),
    Slip(
        "CreateVectorStoreFileBatchRequest",
        {
            "anyOf": None,
            "oneOf": [{"required": ["file_ids"]}, {"required": ["files"]}],
        },
        "the text says that they exclude one another",
    ),
    Slip(
        "VectorStoreSearchRequest.query.0",
        {"minLength": 1},
        "nothing cannot be searched",
    ),
    Slip(
        "VectorStoreSearchRequest.query.1",
        {"minItems": 1, "maxItems": 32, "items": {"type": "string", "minLength": 1}},
        "`minItems` stands with the text instead of the list; 32 is ours",
    ),
    Slip(
        "VectorStoreFileContentResponse.data.[]",
        {"required": ["type", "text"]},
        "a part has both",
    ),
    Slip(
        "VectorStoreFileContentResponse.data.[].type",
        {"enum": ["text"]},
        "the text says: only `text`",
    ),
    Slip(
        "RunStepDetailsToolCallsFileSearchResultObject.content.[]",
        {"required": ["type", "text"]},
        "a part has both",
    ),
    Slip(
        "RunStepDeltaStepDetailsToolCallsFileSearchObject.file_search",
        {"properties": {}, "additionalProperties": False},
        "the text says: an empty object",
    ),
    Slip(
        "ErrorEvent.data",
        {"$ref": "#/components/schemas/ErrorResponse"},
        "only the wrapped form makes the official SDK raise",
    ),
    Slip(
        "MessageObject.attachments.[]",
        {"required": ["file_id", "tools"]},
        "as in the request, where `required` stands beside `items` instead of inside",
    ),
    *(
        Slip(place, {"required": [key]}, "a delta never splits an id or an address")
        for place, key in {
            "MessageDeltaContentImageFileObject.image_file": "file_id",
            "MessageDeltaContentImageUrlObject.image_url": "url",
            "MessageDeltaContentTextAnnotationsFileCitationObject.file_citation": "file_id",
            "MessageDeltaContentTextAnnotationsFilePathObject.file_path": "file_id",
            "RunStepDeltaStepDetailsMessageCreationObject.message_creation": "message_id",
            "RunStepDeltaStepDetailsToolCallsCodeOutputImageObject.image": "file_id",
        }.items()
    ),
    Slip(
        "RunObject.incomplete_details", {"required": ["reason"]}, "a run that says why"
    ),
    *(
        Slip(
            f"{name}.metadata",
            {"$ref": None, "type": "object", **_PAIRS},
            "always sent: {} where there is none",
        )
        for name in _NOT_NULL_OBJECTS
    ),
    *(
        Slip(f"List{name}Response.object", {"enum": ["list"]}, "the text says `list`")
        for name in _LISTS
    ),
    *(
        Slip(
            place,
            {"properties": additions},
            "ours: where in its file a citation stands",
        )
        for place, additions in {
            "MessageContentTextAnnotationsFileCitationObject.file_citation": {
                **_OWN_CITATION,
                "quote": {"type": "string"},
            },
            "MessageDeltaContentTextAnnotationsFileCitationObject.file_citation": (
                _OWN_CITATION
            ),
            "RunStepDetailsToolCallsFileSearchResultObject": _OWN_PLACE,
        }.items()
    ),
    Slip(
        "VectorStoreObject",
        {"properties": {"description": {"type": "string"}}},
        "ours: the description that its request takes",
    ),
    *(
        Slip(
            place,
            _OR_NULL,
            "AutoGen sends back what it has read, with null for what was not there",
        )
        for name in _TOOL_RESOURCES
        for place in (
            f"{name}.tool_resources.code_interpreter",
            f"{name}.tool_resources.file_search",
            f"{name}.tool_resources.file_search.vector_store_ids",
        )
    ),
    Slip(
        "CreateThreadRequest.messages", _OR_NULL, "Marvin sends null where it has none"
    ),
    *(
        Slip(f"{place}.vector_stores", _OR_NULL, "as above, beside ids that it names")
        for place in _NEW_STORES
    ),
    Slip(
        "CreateRunRequest",
        {"properties": {"busy_policy": _BUSY_POLICY}},
        "ours: a run may wait for its thread, or take it",
    ),
]


def correct(components: dict[str, Schema]) -> None:
    """Merge every slip into these components.

    Raises:
        LookupError: a slip names a place that is not there, or changes nothing: the
            document has moved on, and the table must follow.
    """
    for slip in SLIPS:
        component, *path = slip.place.split(".")
        node = components[component]
        for part in path:
            node = _step(_bare(node), part)
        whole = "$ref" in slip.change or slip.change is _OR_NULL
        if not _merge(node if whole else _bare(node), slip.change):
            raise LookupError(f"{slip.place} needs no correction any more")


def _bare(node: Schema) -> Schema:
    """The schema itself, where it is wrapped as "this or null"."""
    branches = [b for b in node.get("anyOf", []) if b != {"type": "null"}]
    return branches[0] if len(branches) == 1 else node


def _step(node: Schema, part: str) -> Schema:
    found: Schema
    if part == "[]":
        found = node["items"]
    elif part.isdigit():
        found = (node.get("oneOf") or node["anyOf"])[int(part)]
    elif "properties" in node:
        found = node["properties"][part]
    else:  # a union of objects: the branch that has the key
        found = next(b for b in node["oneOf"] if part in b["properties"])["properties"][
            part
        ]
    return found


def _merge(node: Schema, change: Schema) -> bool:
    before = dict(node)
    if change is _OR_NULL:
        node.clear()
        node["anyOf"] = [before, {"type": "null"}]
        return {"type": "null"} not in before.get("anyOf", [])
    for key, value in change.items():
        if value is None:
            node.pop(key, None)
        elif key == "properties":
            node[key] = {**node.get(key, {}), **value}
        else:
            node[key] = value
    return node != before
