"""The gateway: every model, ours or upstream, behind one seam."""

from runtime.gateway.chat import (
    ChatRequest,
    chat_completion,
    chat_completion_stream,
    estimated_usage,
    stream_chat,
)
from runtime.gateway.deltas import (
    Delta,
    Finished,
    FinishReason,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from runtime.gateway.embeddings import Embedder, create_embeddings
from runtime.gateway.failures import ContextExceeded, ModelFailed
from runtime.gateway.gateway import Gateway, list_models
from runtime.gateway.upstreams import BUILTIN, UpstreamConfig

__all__ = [
    "BUILTIN",
    "ChatRequest",
    "ContextExceeded",
    "Delta",
    "Embedder",
    "FinishReason",
    "Finished",
    "Gateway",
    "ModelFailed",
    "RefusalDelta",
    "TextDelta",
    "ToolCallDelta",
    "UpstreamConfig",
    "Usage",
    "chat_completion",
    "chat_completion_stream",
    "create_embeddings",
    "estimated_usage",
    "list_models",
    "stream_chat",
]
