"""Assistants: row → wire."""

from runtime.assistants.models import Assistant
from runtime.clock import unix
from runtime.wire.assistants import AssistantObject


def render_assistant(assistant: Assistant) -> AssistantObject:
    """An assistant as the API shows it."""
    return AssistantObject.model_validate(
        {
            "id": assistant.id,
            "created_at": unix(assistant.created_at),
            "name": assistant.name,
            "description": assistant.description,
            "model": assistant.model,
            "instructions": assistant.instructions,
            "tools": assistant.tools,
            "metadata": assistant.metadata_,
            "tool_resources": assistant.tool_resources,
            "temperature": assistant.temperature,
            "top_p": assistant.top_p,
            "response_format": assistant.response_format,
        }
    )
