"""The tiny models that are compared: at least one of every family that Outcrop runs.

Shapes are odd on purpose, so that no dimension can be taken for another: heads that are not
hidden/heads wide, vocabularies that are no multiple of 16, documents longer than a window.
"""
from dataclasses import dataclass

import transformers as hf


@dataclass
class Lora:
    """An adapter as peft configures it."""

    targets: list
    rank: int = 3
    alpha: float = 5.0
    rslora: bool = False


@dataclass
class Case:
    name: str
    config: hf.PreTrainedConfig
    dtype: str = "float32"  # of the files
    shard: str = "1GB"  # the largest file, as save_pretrained wants it
    train: bool = True  # gradients and steps too: of float32 files, for Outcrop saves in their type
    lora: Lora | None = None  # trains the adapter in place of the model


# Shape of every Llama-like model; the families' own fields are beside it.
SHAPE = dict(
    vocab_size=101, hidden_size=42, intermediate_size=52, num_hidden_layers=2, num_attention_heads=6,
    num_key_value_heads=2, head_dim=10, max_position_embeddings=64, tie_word_embeddings=False,
    bos_token_id=1, eos_token_id=2, pad_token_id=0,
)


def shape(**other):
    return SHAPE | other


def rope(theta=10000.0, **other):
    return dict(rope_type="default", rope_theta=theta) | other


ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
EVERY = ATTENTION + ["gate_proj", "up_proj", "down_proj"]


def llama():
    config = hf.LlamaConfig(**shape(rope_parameters=rope(), rms_norm_eps=1e-5))
    yield Case("llama", config)
    yield Case("llama tied", hf.LlamaConfig(**shape(tie_word_embeddings=True, num_key_value_heads=1, rope_parameters=rope(500.0))))
    yield Case("llama sharded", config, shard="12KB", train=False)
    yield Case("llama float16", config, dtype="float16", train=False)
    yield Case("llama bfloat16", config, dtype="bfloat16", train=False)


def cases():
    """Returns every case, in the order of the table."""
    return [c for family in (llama,) for c in family()]
