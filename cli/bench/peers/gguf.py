"""Writes a GGUF file with random weights of one of the shapes, for llama.cpp.

    gguf.py OUT SHAPE bf16|q8_0|f32

The format is that of ggml's docs/gguf.md, version 3: magic, counts, key-value pairs, tensor
descriptions, then the tensors, each aligned to 32 bytes. The vocabulary is made up.
"""

import struct
import sys

import numpy as np

from decoder import SHAPES

ALIGNMENT = 32
U32, F32, I32, STRING, ARRAY = 4, 6, 5, 8, 9  # gguf_metadata_value_type
TYPES = {"f32": 0, "q8_0": 8, "bf16": 30}  # ggml_type
PLAIN, CONTROL = 1, 3  # token types


def text(s: str) -> bytes:
    return struct.pack("<Q", len(s.encode())) + s.encode()


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def array(kind: int, items: list[bytes]) -> bytes:
    return struct.pack("<IQ", kind, len(items)) + b"".join(items)


def metadata(s) -> list[bytes]:
    number = lambda key, n: pair("llama." + key, U32, struct.pack("<I", n))
    special = [pair(f"tokenizer.ggml.{k}_token_id", U32, struct.pack("<I", i)) for k, i in (("bos", 0), ("eos", s.vocab - 1))]
    kinds = [CONTROL] + [PLAIN] * (s.vocab - 2) + [CONTROL]
    return [
        pair("general.architecture", STRING, text("llama")),
        pair("general.name", STRING, text("random")),
        number("context_length", s.context),
        number("embedding_length", s.hidden),
        number("block_count", s.layers),
        number("feed_forward_length", s.ffn),
        number("attention.head_count", s.heads),
        number("attention.head_count_kv", s.kv),
        number("rope.dimension_count", s.head),
        number("vocab_size", s.vocab),
        pair("llama.attention.layer_norm_rms_epsilon", F32, struct.pack("<f", 1e-5)),
        pair("llama.rope.freq_base", F32, struct.pack("<f", 10000.0)),
        pair("tokenizer.ggml.model", STRING, text("gpt2")),
        pair("tokenizer.ggml.pre", STRING, text("smollm")),
        pair("tokenizer.ggml.tokens", ARRAY, array(STRING, [text(f"<{i}>") for i in range(s.vocab)])),
        pair("tokenizer.ggml.token_type", ARRAY, array(I32, [struct.pack("<i", k) for k in kinds])),
        pair("tokenizer.ggml.merges", ARRAY, array(STRING, [text("< 0")])),
        *special,
    ]


def tensors(s):
    """Names and shapes, (out, in) as PyTorch has them."""
    yield "token_embd.weight", (s.vocab, s.hidden)
    for i in range(s.layers):
        block = {
            "attn_norm": (s.hidden,),
            "attn_q": (s.heads * s.head, s.hidden),
            "attn_k": (s.kv * s.head, s.hidden),
            "attn_v": (s.kv * s.head, s.hidden),
            "attn_output": (s.hidden, s.heads * s.head),
            "ffn_norm": (s.hidden,),
            "ffn_gate": (s.ffn, s.hidden),
            "ffn_up": (s.ffn, s.hidden),
            "ffn_down": (s.hidden, s.ffn),
        }
        for name, shape in block.items():
            yield f"blk.{i}.{name}.weight", shape
    yield "output_norm.weight", (s.hidden,)


def encode(x: np.ndarray, kind: str) -> bytes:
    if kind == "f32":
        return x.astype("<f4").tobytes()
    if kind == "bf16":
        return (x.astype("<f4").view("<u4") + 0x8000 >> 16).astype("<u2").tobytes()
    groups = x.reshape(-1, 32)  # q8_0: a float16 scale and 32 int8
    scale = np.abs(groups).max(axis=1, keepdims=True) / 127
    out = np.empty(len(groups), dtype=[("d", "<f2"), ("q", "i1", 32)])
    out["d"], out["q"] = scale[:, 0], np.rint(groups / scale)
    return out.tobytes()


def padded(b: bytes) -> bytes:
    return b + bytes(-len(b) % ALIGNMENT)


def write(path: str, s, kind: str):
    rng = np.random.default_rng(1)
    infos, data, at = [], [], 0
    for name, shape in tensors(s):
        matrix = len(shape) == 2
        x = rng.standard_normal(shape, dtype=np.float32) * 0.02 if matrix else np.ones(shape, np.float32)
        b = padded(encode(x, kind if matrix else "f32"))
        dims = struct.pack(f"<{len(shape)}Q", *reversed(shape))
        stored = TYPES[kind if matrix else "f32"]
        infos.append(text(name) + struct.pack("<I", len(shape)) + dims + struct.pack("<IQ", stored, at))
        data.append(b)
        at += len(b)
    pairs = metadata(s)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(pairs)) + b"".join(pairs) + b"".join(infos)
    with open(path, "wb") as f:
        f.write(padded(head))
        for b in data:
            f.write(b)


if __name__ == "__main__":
    write(sys.argv[1], SHAPES[sys.argv[2]], sys.argv[3])
