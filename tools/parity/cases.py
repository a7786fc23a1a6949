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
    rank: int = 7
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


# Shape of every Llama-like model; the families' own fields are beside it. No token is padding:
# torch would leave its embedding without a gradient.
SHAPE = dict(
    vocab_size=101, hidden_size=42, intermediate_size=52, num_hidden_layers=2, num_attention_heads=6,
    num_key_value_heads=2, head_dim=10, max_position_embeddings=64, tie_word_embeddings=False,
    bos_token_id=1, eos_token_id=2, pad_token_id=None,
)


def shape(**other):
    return SHAPE | other


def unsized(**other):
    """The shape of a family whose heads are always hidden/heads wide."""
    return {k: v for k, v in shape(hidden_size=60, **other).items() if k != "head_dim"}


def rope(theta=10000.0, **other):
    return dict(rope_type="default", rope_theta=theta) | other


ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
EVERY = ATTENTION + ["gate_proj", "up_proj", "down_proj"]


def llama():
    config = hf.LlamaConfig(**shape(rope_parameters=rope(), rms_norm_eps=1e-5))
    yield Case("llama", config)
    yield Case("llama tied", hf.LlamaConfig(**shape(tie_word_embeddings=True, num_key_value_heads=1, rope_parameters=rope(500.0))))
    yield Case("llama biases", hf.LlamaConfig(**shape(attention_bias=True, mlp_bias=True)))
    yield Case("llama sharded", config, shard="12KB", train=False)
    yield Case("llama float16", config, dtype="float16", train=False)
    yield Case("llama bfloat16", config, dtype="bfloat16", train=False)


def llama_lora():
    config = hf.LlamaConfig(**shape(rope_parameters=rope()))
    yield Case("llama LoRA", config, lora=Lora(EVERY))
    yield Case("llama LoRA some", config, lora=Lora(["q_proj", "v_proj", "down_proj"], rank=5, rslora=True))
    yield Case("llama LoRA bfloat16", config, dtype="bfloat16", lora=Lora(ATTENTION, rank=16, alpha=8.0))


def scaled():
    """The scalings of the rotary embedding, with numbers by which each of their branches is taken."""
    llama3 = rope(100.0, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
    yarn = rope(100.0, rope_type="yarn", factor=4.0, beta_fast=2.0, beta_slow=0.25, original_max_position_embeddings=64)
    yield Case("llama llama3", hf.LlamaConfig(**shape(rope_parameters=llama3)))
    yield Case("llama linear", hf.LlamaConfig(**shape(rope_parameters=rope(rope_type="linear", factor=2.5))), train=False)
    yield Case("llama dynamic", hf.LlamaConfig(**shape(rope_parameters=rope(rope_type="dynamic", factor=2.0))), train=False)
    yield Case("llama yarn", hf.LlamaConfig(**shape(rope_parameters=yarn, max_position_embeddings=256)), train=False)


def mistral():
    yield Case("mistral", hf.MistralConfig(**shape(sliding_window=None)))
    yield Case("mistral window", hf.MistralConfig(**shape(sliding_window=9)))


def qwen2():
    yield Case("qwen2", hf.Qwen2Config(**unsized()))
    yield Case("qwen2 tied", hf.Qwen2Config(**unsized(tie_word_embeddings=True, rope_parameters=rope(1e6))))
    window = dict(use_sliding_window=True, sliding_window=7, max_window_layers=1)
    yield Case("qwen2 window", hf.Qwen2Config(**unsized(**window)))
    yield Case("qwen2 LoRA", hf.Qwen2Config(**unsized()), lora=Lora(EVERY))


def qwen3():
    yield Case("qwen3", hf.Qwen3Config(**shape()))
    yield Case("qwen3 tied", hf.Qwen3Config(**shape(tie_word_embeddings=True, attention_bias=True, num_key_value_heads=3)))


def gemma3():
    types = ["sliding_attention", "full_attention", "sliding_attention"]

    def config(**full):
        ropes = dict(full_attention=rope(1e6, **full), sliding_attention=rope(1e3))
        return hf.Gemma3TextConfig(**shape(
            num_hidden_layers=3, layer_types=types, sliding_window=8, query_pre_attn_scalar=7, rope_parameters=ropes,
            tie_word_embeddings=True))

    yield Case("gemma3", config())
    yield Case("gemma3 LoRA", config(), lora=Lora(EVERY))
    yield Case("gemma3 scaled", config(rope_type="linear", factor=8.0), train=False)


def phi3():
    config = hf.Phi3Config(**unsized(sliding_window=None))
    yield Case("phi3", config)
    yield Case("phi3 LoRA", config, lora=Lora(["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]))
    half = dict(num_attention_heads=3, num_key_value_heads=1, sliding_window=9, rope_parameters=rope(partial_rotary_factor=0.5))
    yield Case("phi3 partial", hf.Phi3Config(**unsized(**half)))
    factors = [1.0, 1.5, 2.0, 3.0, 5.0]  # of the 10 channels of a head
    long = rope(rope_type="longrope", factor=4.0, short_factor=factors, long_factor=factors[::-1], original_max_position_embeddings=64)
    lengths = dict(max_position_embeddings=256, original_max_position_embeddings=64)
    yield Case("phi3 longrope", hf.Phi3Config(**unsized(sliding_window=None, rope_parameters=long, **lengths)))


def gpt2():
    config = dict(vocab_size=101, n_positions=64, n_embd=42, n_layer=2, n_head=3, bos_token_id=1, eos_token_id=2)
    yield Case("gpt2", hf.GPT2Config(**config))
    yield Case("gpt2 LoRA", hf.GPT2Config(**config), lora=Lora(["c_attn", "c_proj", "c_fc"]))
    scales = dict(scale_attn_weights=False, scale_attn_by_inverse_layer_idx=True)
    yield Case("gpt2 scales", hf.GPT2Config(**config | dict(n_embd=6, n_head=2), **scales), train=False)
    yield Case("gpt2 untied", hf.GPT2Config(**config, n_inner=52, tie_word_embeddings=False, activation_function="gelu"))


def gpt_neox():
    config = dict(
        vocab_size=101, hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=52,
        max_position_embeddings=64, bos_token_id=1, eos_token_id=2)
    quarter = hf.GPTNeoXConfig(**config, rope_parameters=rope(partial_rotary_factor=0.25))
    yield Case("gpt_neox", quarter)
    yield Case("gpt_neox LoRA", quarter, lora=Lora(["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"]))
    other = dict(use_parallel_residual=False, attention_bias=False, hidden_act="gelu_new")
    yield Case("gpt_neox serial", hf.GPTNeoXConfig(**config, **other, rope_parameters=rope(partial_rotary_factor=1.0)))


FAMILIES = llama, llama_lora, scaled, mistral, qwen2, qwen3, gemma3, phi3, gpt2, gpt_neox


def cases():
    """Returns every case, in the order of the table."""
    return [c for family in FAMILIES for c in family()]
