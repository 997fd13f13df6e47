"""LangChain asks about a file that is attached to the question itself."""

import json
import sys

from langchain_classic.agents.openai_assistant import OpenAIAssistantRunnable
from openai import OpenAI

SEARCH = {"type": "file_search"}


def main(model: str, question: str, content: str) -> None:
    file = OpenAI().files.create(
        file=("tides.txt", content.encode()), purpose="assistants"
    )
    assistant = OpenAIAssistantRunnable.create_assistant(
        name="Reader",
        instructions="You read.",
        tools=[SEARCH],
        model=model,
        check_every_ms=50,
    )

    attached = {"file_id": file.id, "tools": [SEARCH]}
    (message,) = assistant.invoke({"content": question, "attachments": [attached]})

    (part,) = message.content
    cited = [note.file_citation.file_id for note in part.text.annotations]
    print(json.dumps({"answer": part.text.value, "file": file.id, "cited": cited}))


if __name__ == "__main__":
    main(*sys.argv[1:])
