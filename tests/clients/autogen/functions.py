"""An AutoGen agent calls our function, then forgets what was said."""

import asyncio
import json
import sys

from autogen_agentchat.messages import TextMessage
from autogen_core import CancellationToken
from autogen_ext.agents.openai import OpenAIAssistantAgent
from openai import AsyncOpenAI


async def add(numbers: list[int]) -> str:
    """Add numbers."""
    return str(sum(numbers))


async def main(model: str) -> None:
    token = CancellationToken()
    client = AsyncOpenAI()
    agent = OpenAIAssistantAgent(
        name="adder",
        description="It adds.",
        client=client,
        model=model,
        instructions="You add.",
        tools=[add],
    )

    question = TextMessage(source="user", content="What is 1 + 2?")
    response = await agent.on_messages([question], token)
    asked, executed = response.inner_messages
    print(json.dumps([[call.name, call.arguments] for call in asked.content]))
    print(json.dumps([result.content for result in executed.content]))
    print(json.dumps(response.chat_message.content))

    state = await agent.save_state()
    await agent.on_reset(token)
    left = await client.beta.threads.messages.list(state["thread_id"])
    print(json.dumps(len(left.data)))
    await agent.delete_assistant(token)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
