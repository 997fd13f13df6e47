"""The official SDK's type for each of our models, and where the two part."""

from typing import Any

from openai.types import (
    FileDeleted,
    FileObject,
    StaticFileChunkingStrategyObject,
    Upload,
    VectorStore,
    VectorStoreDeleted,
    VectorStoreSearchResponse,
    file_create_params,
    upload_complete_params,
    upload_create_params,
    vector_store_create_params,
    vector_store_search_params,
    vector_store_update_params,
)
from openai.types.beta import (
    Assistant,
    AssistantDeleted,
    Thread,
    ThreadDeleted,
    assistant_create_params,
    assistant_update_params,
    thread_create_and_run_params,
    thread_create_params,
    thread_update_params,
)
from openai.types.beta.threads import (
    Message,
    MessageDeleted,
    MessageDeltaEvent,
    Run,
    message_create_params,
    message_update_params,
    run_create_params,
    run_submit_tool_outputs_params,
    run_update_params,
)
from openai.types.beta.threads.runs import RunStep, RunStepDeltaEvent
from openai.types.uploads import UploadPart
from openai.types.vector_stores import (
    FileContentResponse,
    VectorStoreFile,
    VectorStoreFileBatch,
    VectorStoreFileDeleted,
    file_batch_create_params,
    file_update_params,
)
from openai.types.vector_stores import (
    file_create_params as store_file_create_params,
)
from pydantic import BaseModel

SDK_OBJECTS: dict[str, type[BaseModel]] = {
    "AssistantObject": Assistant,
    "DeleteAssistantResponse": AssistantDeleted,
    "ThreadObject": Thread,
    "DeleteThreadResponse": ThreadDeleted,
    "MessageObject": Message,
    "DeleteMessageResponse": MessageDeleted,
    "MessageDeltaObject": MessageDeltaEvent,
    "RunObject": Run,
    "RunStepObject": RunStep,
    "RunStepDeltaObject": RunStepDeltaEvent,
    "OpenAIFile": FileObject,
    "DeleteFileResponse": FileDeleted,
    "Upload": Upload,
    "UploadPart": UploadPart,
    "VectorStoreObject": VectorStore,
    "DeleteVectorStoreResponse": VectorStoreDeleted,
    "VectorStoreFileObject": VectorStoreFile,
    "DeleteVectorStoreFileResponse": VectorStoreFileDeleted,
    "VectorStoreFileBatchObject": VectorStoreFileBatch,
    "VectorStoreSearchResultItem": VectorStoreSearchResponse,
    "VectorStoreFileContentPart": FileContentResponse,
    "StaticChunkingStrategyResponseParam": StaticFileChunkingStrategyObject,
}

SDK_REQUESTS: dict[str, Any] = {
    "CreateAssistantRequest": assistant_create_params.AssistantCreateParams,
    "ModifyAssistantRequest": assistant_update_params.AssistantUpdateParams,
    "CreateThreadRequest": thread_create_params.ThreadCreateParams,
    "ModifyThreadRequest": thread_update_params.ThreadUpdateParams,
    "CreateThreadAndRunRequest": (
        thread_create_and_run_params.ThreadCreateAndRunParamsStreaming
    ),
    "CreateMessageRequest": message_create_params.MessageCreateParams,
    "ModifyMessageRequest": message_update_params.MessageUpdateParams,
    "CreateRunRequest": run_create_params.RunCreateParamsStreaming,
    "ModifyRunRequest": run_update_params.RunUpdateParams,
    "SubmitToolOutputsRunRequest": (
        run_submit_tool_outputs_params.RunSubmitToolOutputsParamsStreaming
    ),
    "CreateFileRequest": file_create_params.FileCreateParams,
    "CreateUploadRequest": upload_create_params.UploadCreateParams,
    "CompleteUploadRequest": upload_complete_params.UploadCompleteParams,
    "CreateVectorStoreRequest": vector_store_create_params.VectorStoreCreateParams,
    "UpdateVectorStoreRequest": vector_store_update_params.VectorStoreUpdateParams,
    "VectorStoreSearchRequest": vector_store_search_params.VectorStoreSearchParams,
    "CreateVectorStoreFileRequest": store_file_create_params.FileCreateParams,
    "UpdateVectorStoreFileAttributesRequest": file_update_params.FileUpdateParams,
    "CreateVectorStoreFileBatchRequest": file_batch_create_params.FileBatchCreateParams,
}

# What the SDK passes on but does not name, because it is ours or lags behind.
ADDITIONS = {
    "FileCitation.filename",
    "FileCitation.quote",
    "FileCitation.page",
    "FileCitation.char_start",
    "FileCitation.char_end",
    "FileSearchResult.page",
    "FileSearchResult.char_start",
    "FileSearchResult.char_end",
    "FileSearchRankingOptions.hybrid_search",
    "VectorStore.description",
}

# What a body may say that the SDK has no word for: it goes in by `extra_body`.
OWN_WISHES = {
    "CreateRunRequest": {"busy_policy"},
    "ModifyMessageRequest": {"content"},
}

# In the path or the query, not in the body.
NOT_IN_BODY = {"include", "thread_id", "vector_store_id", "file"}

# A file uploaded for evals; the SDK's object does not know the word its upload offers.
SDK_LAGS = {"purpose: word evals", "file: purpose: word evals"}

# Any text to the SDK, one word to the document: the `type` of a part of a file's text.
SDK_LOOSE = {"type: empty text", "type: some text"}
