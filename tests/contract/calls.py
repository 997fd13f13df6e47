"""Every official operation, asked with every field and parameter it documents.

A meta-test sees to it that nothing the document names is forgotten here.
"""

from dataclasses import dataclass, field

from tests.contract.bodies import (
    ASSISTANT,
    CONTENT,
    EXISTING,
    EXPIRY,
    IS_BOAT,
    MESSAGE,
    METADATA,
    NEW,
    PAGE,
    RUN,
    STATIC,
    Json,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request.

    Attributes:
        operation: the document's `operationId`.
        at: ids of the path that are not the usual ones, by their names in the path.
        form: fields of a multipart form; a file is (name, bytes, media type).
    """

    operation: str
    at: Json = field(default_factory=dict)
    query: Json = field(default_factory=dict)
    body: Json | None = None
    form: Json | None = None


_WAITING = {"thread_id": "$waiting_thread", "run_id": "$waiting_run"}
_BARE_RUN = {"assistant_id": "$assistant"}

CALLS = [
    Call(operation="createAssistant", body={"model": "builtin"}),
    Call(
        operation="createAssistant",
        body={"model": "builtin", **ASSISTANT, "tool_resources": NEW},
    ),
    Call(
        operation="createAssistant",
        body={"model": "builtin", "tool_resources": EXISTING},
    ),
    Call(operation="listAssistants", query=PAGE),
    Call(operation="listAssistants", query={**PAGE, "after": "$assistant"}),
    Call(operation="listAssistants", query={"before": "$assistant"}),
    Call(operation="getAssistant"),
    Call(
        operation="modifyAssistant",
        body={"model": "other", **ASSISTANT, "tool_resources": EXISTING},
    ),
    Call(operation="deleteAssistant"),
    Call(operation="createThread"),
    Call(
        operation="createThread",
        body={"messages": [MESSAGE], "metadata": METADATA, "tool_resources": NEW},
    ),
    Call(operation="createThread", body={"tool_resources": EXISTING}),
    Call(operation="getThread"),
    Call(
        operation="modifyThread",
        body={"metadata": METADATA, "tool_resources": EXISTING},
    ),
    Call(operation="deleteThread"),
    Call(operation="createMessage", body=MESSAGE),
    Call(operation="createMessage", body={"role": "assistant", "content": "Hello."}),
    Call(operation="listMessages", query=PAGE),
    Call(operation="listMessages", query={**PAGE, "after": "$message"}),
    Call(operation="listMessages", query={"before": "$message", "run_id": "$run"}),
    Call(operation="getMessage"),
    Call(operation="modifyMessage", body={"metadata": METADATA}),
    Call(operation="deleteMessage"),
    Call(
        operation="createRun",
        query={"include[]": CONTENT},
        body={
            **RUN,
            "reasoning_effort": "high",
            "additional_instructions": "Be kind.",
            "additional_messages": [MESSAGE],
        },
    ),
    Call(operation="createRun", body=_BARE_RUN),
    Call(operation="createThreadAndRun", body=_BARE_RUN),
    Call(
        operation="createThreadAndRun",
        body={
            **RUN,
            "thread": {
                "messages": [MESSAGE],
                "metadata": METADATA,
                "tool_resources": NEW,
            },
            "tool_resources": EXISTING,
        },
    ),
    Call(
        operation="createThreadAndRun",
        body={**_BARE_RUN, "thread": {"tool_resources": EXISTING}},
    ),
    Call(operation="listRuns", query=PAGE),
    Call(operation="listRuns", query={**PAGE, "after": "$run"}),
    Call(operation="listRuns", query={"before": "$run"}),
    Call(operation="listRuns", at=_WAITING),
    Call(operation="getRun"),
    Call(operation="getRun", at=_WAITING),
    Call(operation="modifyRun", body={"metadata": METADATA}),
    Call(operation="cancelRun", at=_WAITING),
    Call(
        operation="submitToolOuputsToRun",
        at=_WAITING,
        body={
            "tool_outputs": [{"tool_call_id": "$call", "output": "2"}],
            "stream": False,
        },
    ),
    Call(operation="listRunSteps", query=PAGE),
    Call(
        operation="listRunSteps",
        query={**PAGE, "after": "$step", "include[]": CONTENT},
    ),
    Call(operation="listRunSteps", query={"before": "$step"}),
    Call(operation="getRunStep", query={"include[]": CONTENT}),
    Call(
        operation="createFile",
        form={
            "file": ("notes.txt", b"Some notes.", "text/plain"),
            "purpose": "assistants",
            "expires_after[anchor]": "created_at",
            "expires_after[seconds]": "3600",
        },
    ),
    Call(operation="listFiles", query=PAGE),
    Call(
        operation="listFiles",
        query={**PAGE, "after": "$file", "purpose": "assistants"},
    ),
    Call(operation="retrieveFile"),
    Call(operation="downloadFile"),
    Call(operation="deleteFile"),
    Call(
        operation="createUpload",
        body={
            "filename": "notes.txt",
            "purpose": "assistants",
            "bytes": 5,
            "mime_type": "text/plain",
            "expires_after": {"anchor": "created_at", "seconds": 3600},
        },
    ),
    Call(
        operation="addUploadPart",
        form={"data": ("blob", b"Notes", "application/octet-stream")},
    ),
    Call(
        operation="completeUpload",
        body={"part_ids": ["$part"], "md5": "f4c6f851b00d5518bf888815de279aba"},
    ),
    Call(operation="cancelUpload"),
    Call(operation="createVectorStore", body={}),
    Call(
        operation="createVectorStore",
        body={
            "file_ids": ["$file"],
            "name": "Boats",
            "description": "All about boats.",
            "expires_after": EXPIRY,
            "chunking_strategy": STATIC,
            "metadata": METADATA,
        },
    ),
    Call(operation="listVectorStores", query=PAGE),
    Call(operation="listVectorStores", query={**PAGE, "after": "$store"}),
    Call(operation="listVectorStores", query={"before": "$store"}),
    Call(operation="getVectorStore"),
    Call(
        operation="modifyVectorStore",
        body={"name": "Ships", "expires_after": EXPIRY, "metadata": METADATA},
    ),
    Call(operation="deleteVectorStore"),
    Call(operation="searchVectorStore", body={"query": "basalt"}),
    Call(
        operation="searchVectorStore",
        body={
            "query": ["basalt", "moon"],
            "rewrite_query": True,
            "max_num_results": 3,
            "filters": {"type": "and", "filters": [IS_BOAT, IS_BOAT]},
            "ranking_options": {"ranker": "auto", "score_threshold": 0.01},
        },
    ),
    Call(operation="searchVectorStore", body={"query": "moon", "filters": IS_BOAT}),
    Call(
        operation="createVectorStoreFile",
        body={
            "file_id": "$other_file",
            "chunking_strategy": STATIC,
            "attributes": {"kind": "boat", "year": 1999, "fast": True},
        },
    ),
    Call(operation="listVectorStoreFiles", query=PAGE),
    Call(
        operation="listVectorStoreFiles",
        query={**PAGE, "after": "$file", "filter": "completed"},
    ),
    Call(operation="listVectorStoreFiles", query={"before": "$file"}),
    Call(operation="getVectorStoreFile"),
    Call(
        operation="updateVectorStoreFileAttributes",
        body={"attributes": {"kind": "boat", "year": 1999.5, "fast": True}},
    ),
    Call(operation="retrieveVectorStoreFileContent"),
    Call(operation="deleteVectorStoreFile"),
    Call(
        operation="createVectorStoreFileBatch",
        body={
            "file_ids": ["$file", "$other_file"],
            "chunking_strategy": {"type": "auto"},
            "attributes": {"kind": "boat"},
        },
    ),
    Call(
        operation="createVectorStoreFileBatch",
        body={
            "file_ids": ["$file"],
            "chunking_strategy": STATIC,
        },
    ),
    Call(
        operation="createVectorStoreFileBatch",
        body={
            "files": [
                {
                    "file_id": "$other_file",
                    "chunking_strategy": STATIC,
                    "attributes": {"kind": "boat"},
                }
            ]
        },
    ),
    Call(operation="getVectorStoreFileBatch"),
    Call(operation="listFilesInVectorStoreBatch", query=PAGE),
    Call(
        operation="listFilesInVectorStoreBatch",
        query={**PAGE, "after": "$file", "filter": "completed"},
    ),
    Call(operation="listFilesInVectorStoreBatch", query={"before": "$file"}),
    Call(operation="cancelVectorStoreFileBatch"),
]
