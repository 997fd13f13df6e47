"""A Semantic Kernel agent calls functions of a plugin: asked once whole, once streamed."""

import asyncio
import json
import sys
from typing import Any

from semantic_kernel.agents import AssistantAgentThread, OpenAIAssistantAgent
from semantic_kernel.functions import kernel_function


class Menu:
    """What we know and the model does not."""

    @kernel_function(description="The price of a dish.")
    def price(self, dish: str) -> str:
        return f"{dish} costs 9 euros"


async def tell(message: Any) -> None:
    """Print each part of a message by its kind."""
    for item in message.items:
        match item.content_type:
            case "function_call":
                print(json.dumps(["call", item.name, item.arguments]))
            case "function_result":
                print(json.dumps(["result", item.result]))
            case _:
                print(json.dumps(["text", str(item)]))


async def main(model: str) -> None:
    client = OpenAIAssistantAgent.create_client(ai_model_id=model)
    definition = await client.beta.assistants.create(
        model=model, name="Host", instructions="You know the menu."
    )
    agent = OpenAIAssistantAgent(client=client, definition=definition, plugins=[Menu()])
    thread = AssistantAgentThread(client=client)

    whole = agent.invoke(
        messages="What is the soup?", thread=thread, on_intermediate_message=tell
    )
    async for answer in whole:
        await tell(answer.content)
    streamed = agent.invoke_stream(
        messages="And the fish?", thread=thread, on_intermediate_message=tell
    )
    async for piece in streamed:
        await tell(piece.content)

    async for message in thread.get_messages(sort_order="asc"):
        print(json.dumps([message.role.value, str(message)]))
    await thread.delete()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
