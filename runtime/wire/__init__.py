"""OpenAI's shapes: one pydantic model for each component of the official document.

Classes carry the official component's name. Requests refuse what the contract does not
know; objects and events serialise as they stand, with `model_dump` and its JSON sibling.
"""
