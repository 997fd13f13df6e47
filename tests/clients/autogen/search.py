"""An AutoGen agent searches a file that it has uploaded, and cleans up."""

import asyncio
import json
import sys

from autogen_agentchat.messages import TextMessage
from autogen_core import CancellationToken
from autogen_ext.agents.openai import OpenAIAssistantAgent
from openai import AsyncOpenAI


async def main(model: str, question: str, path: str) -> None:
    token = CancellationToken()
    client = AsyncOpenAI()
    agent = OpenAIAssistantAgent(
        name="reader",
        description="It reads.",
        client=client,
        model=model,
        instructions="You read.",
        tools=["file_search"],
    )

    await agent.on_upload_for_file_search(path, token)
    asked = TextMessage(source="user", content=question)
    response = await agent.on_messages([asked], token)
    print(json.dumps(response.chat_message.content))

    await agent.delete_vector_store(token)
    await agent.delete_uploaded_files(token)
    await agent.delete_assistant(token)
    for left in (client.vector_stores, client.files, client.beta.assistants):
        print(json.dumps(len((await left.list()).data)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
