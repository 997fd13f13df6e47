"""LangChain's executor calls our function for an assistant, then goes on talking."""

import json
import sys

from langchain_classic.agents import AgentExecutor
from langchain_classic.agents.openai_assistant import OpenAIAssistantRunnable
from langchain_core.tools import tool


@tool
def add(numbers: list[int]) -> str:
    """Add numbers."""
    return str(sum(numbers))


def main(model: str) -> None:
    assistant = OpenAIAssistantRunnable.create_assistant(
        name="Adder",
        instructions="You add.",
        tools=[add],
        model=model,
        as_agent=True,
        check_every_ms=50,
    )
    executor = AgentExecutor(
        agent=assistant, tools=[add], return_intermediate_steps=True
    )

    # Not `ainvoke`: it takes a page of messages for a list, and fails everywhere.
    first = executor.invoke({"content": "What is 1 + 2?"})
    again = {"content": "Are you sure?", "thread_id": first["thread_id"]}
    for said in (first, executor.invoke(again)):
        steps = [
            [action.tool, action.tool_input, output]
            for action, output in said["intermediate_steps"]
        ]
        print(json.dumps([said["output"], steps]))


if __name__ == "__main__":
    main(*sys.argv[1:])
