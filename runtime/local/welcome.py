"""What `up` says once everything answers."""

from runtime.local.places import place
from runtime.settings import Settings
from sandbox import SandboxClient


def welcome(
    settings: Settings, base_url: str, api_key: str, code: str, seconds: float
) -> str:
    """Where to point an SDK, which key to use, which page to open, what is in use."""
    return f"""
Assistants Runtime is ready, after {seconds:.1f} s.

    base URL          {base_url}/v1
    API key           {api_key}
    open              {base_url}/
    model             {_model(settings)}
    code_interpreter  {code}
    data and logs     {settings.data_dir}

Ctrl-C stops everything.
"""


async def code_interpreter(settings: Settings) -> str:
    """Whether code can be run, tried with a container; if not, why. Never raises."""
    if settings.sandbox == "off":
        return "off (ASSISTANTS_SANDBOX)"
    token = settings.sandbox_token or settings.sandbox_token_file.read_text().strip()
    client = SandboxClient(settings.effective_sandbox_url, token)
    health = await client.health()
    return "available" if health.ok else f"not available: {' '.join(health.sentences)}"


def _model(settings: Settings) -> str:
    if settings.openai_base_url is None:
        return "builtin (quotes, runs code, calls functions; OPENAI_BASE_URL for more)"
    return f"whatever {place(settings.openai_base_url)} serves"
