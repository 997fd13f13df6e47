"""Parts of requests that hold every field there is: what `calls.py` sends.

A text that begins with `$` stands for an id of the test's world (`world.py`).
"""

from typing import Any

Json = dict[str, Any]

CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
PAGE = {"limit": 2, "order": "asc"}
METADATA = {"topic": "boats", "näme": "Ünïcode 🙂"}
STATIC = {
    "type": "static",
    "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 100},
}
FUNCTION = {
    "name": "add",
    "description": "Adds.",
    "parameters": {"type": "object", "properties": {"a": {"type": "number"}}},
    "strict": True,
}
RANKING = {"ranker": "default_2024_08_21", "score_threshold": 0.2}
TOOLS = [
    {"type": "code_interpreter"},
    {
        "type": "file_search",
        "file_search": {"max_num_results": 5, "ranking_options": RANKING},
    },
    {"type": "function", "function": FUNCTION},
]
_SCHEMA_FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "description": "An answer.",
        "schema": {"type": "object"},
        "strict": True,
    },
}
EXISTING = {
    "code_interpreter": {"file_ids": ["$file"]},
    "file_search": {"vector_store_ids": ["$store"]},
}
NEW = {
    "code_interpreter": {"file_ids": ["$file"]},
    "file_search": {
        "vector_stores": [
            {"file_ids": ["$file"], "chunking_strategy": STATIC, "metadata": METADATA}
        ]
    },
}
PICTURES = [
    {"type": "text", "text": "What is this?"},
    {"type": "image_file", "image_file": {"file_id": "$picture", "detail": "low"}},
    {
        "type": "image_url",
        "image_url": {"url": "https://example.com/a.png", "detail": "high"},
    },
]
MESSAGE = {
    "role": "user",
    "content": PICTURES,
    "attachments": [
        {
            "file_id": "$file",
            "tools": [{"type": "file_search"}, {"type": "code_interpreter"}],
        }
    ],
    "metadata": METADATA,
}
ASSISTANT = {
    "name": "Ada",
    "description": "Counts boats.",
    "instructions": "Count.",
    "tools": TOOLS,
    "metadata": METADATA,
    "temperature": 0.5,
    "top_p": 0.9,
    "reasoning_effort": "low",
    "response_format": _SCHEMA_FORMAT,
}
RUN = {
    "assistant_id": "$assistant",
    "model": "builtin",
    "instructions": "Be short.",
    "tools": TOOLS,
    "metadata": METADATA,
    "temperature": 0,
    "top_p": 1,
    "stream": False,
    "max_prompt_tokens": 256,
    "max_completion_tokens": 256,
    "truncation_strategy": {"type": "last_messages", "last_messages": 3},
    "tool_choice": {"type": "function", "function": {"name": "add"}},
    "parallel_tool_calls": False,
    "response_format": _SCHEMA_FORMAT,
}
EXPIRY = {"anchor": "last_active_at", "days": 3}
IS_BOAT = {"type": "eq", "key": "kind", "value": "boat"}
