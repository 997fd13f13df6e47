"""Assistants: row → wire."""

from typing import Any

from runtime.assistants.models import Assistant
from runtime.clock import unix
from runtime.wire.assistants import AssistantObject

_DEFAULT_TEMPERATURE = 1.0
_DEFAULT_TOP_P = 1.0


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
            **render_sampling(assistant.temperature, assistant.top_p),
            "response_format": assistant.response_format,
        }
    )


def render_sampling(temperature: float | None, top_p: float | None) -> dict[str, Any]:
    """How to sample, as an assistant and a run show it.

    What was not chosen is shown as OpenAI's defaults, where apps read numbers. The model
    is told nothing then: some take no temperature at all.
    """
    return {
        "temperature": _DEFAULT_TEMPERATURE if temperature is None else temperature,
        "top_p": _DEFAULT_TOP_P if top_p is None else top_p,
    }
