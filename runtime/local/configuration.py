"""Read the settings, or say in a sentence which one is wrong."""

from pydantic import ValidationError

from runtime.local.failure import CannotStart
from runtime.settings import Settings


def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        CannotStart: one has a value it cannot have; all such are named.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(
            f"{_variable(str(fault['loc'][0]))}: {_words(fault['msg'])}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise CannotStart(f"A setting is wrong: {faults}.") from None


def _words(message: str) -> str:
    return message.removeprefix("Value error, ")


def _variable(field: str) -> str:
    if field.isupper():
        return field
    return f"ASSISTANTS_{field.upper()}"
