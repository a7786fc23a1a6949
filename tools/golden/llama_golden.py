"""Writes engine/model/testdata/llama_golden.safetensors: a random Llama of two layers computed by
PyTorch in float32 on the CPU, for TestGolden of package model.

    python3 tools/golden/llama_golden.py engine/model/testdata/llama_golden.safetensors

In the file: weight.NAME and grad.NAME for every tensor, tokens and targets of two
documents (-1: not trained), logits of every token, and losses, the mean loss before each
of 10 steps of AdamW with the gradient clipped to norm 1. The metadata hold config.json,
the seed, the numbers of the optimizer and PyTorch's version. The network is written out
here from its formulas, so that nothing but PyTorch is needed.
"""
import json
import math
import struct
import sys

import torch
import torch.nn.functional as F

SEED = 20240607
CONFIG = dict(
    model_type="llama", hidden_size=64, intermediate_size=88, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, head_dim=16, vocab_size=101,
    max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0, hidden_act="silu",
    tie_word_embeddings=False, torch_dtype="float32",
)
ADAMW = dict(lr=1e-2, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01, clip=1.0, steps=10)
LENGTHS = (23, 14)


def weights(g):
    c = CONFIG
    C, F_, V = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    HD, GD = c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]
    shapes = {"model.embed_tokens.weight": (V, C), "model.norm.weight": (C,), "lm_head.weight": (V, C)}
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        shapes |= {
            p + "input_layernorm.weight": (C,), p + "post_attention_layernorm.weight": (C,),
            p + "self_attn.q_proj.weight": (HD, C), p + "self_attn.k_proj.weight": (GD, C),
            p + "self_attn.v_proj.weight": (GD, C), p + "self_attn.o_proj.weight": (C, HD),
            p + "mlp.gate_proj.weight": (F_, C), p + "mlp.up_proj.weight": (F_, C), p + "mlp.down_proj.weight": (C, F_),
        }
    w = {}
    for name, shape in shapes.items():
        x = torch.randn(shape, generator=g) * 0.1
        w[name] = (1 + x if len(shape) == 1 else x).requires_grad_(True)
    return w


def rms(x, w):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + CONFIG["rms_norm_eps"]) * w


def rope(x):  # (T,heads,D), rotate-half
    T, _, D = x.shape
    freq = CONFIG["rope_theta"] ** (-torch.arange(0, D, 2, dtype=torch.float64) / D)
    angle = torch.arange(T, dtype=torch.float64)[:, None] * freq[None, :]
    cos, sin = angle.cos().float()[:, None, :], angle.sin().float()[:, None, :]
    a, b = x[..., : D // 2], x[..., D // 2:]
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def forward(w, tokens):
    c = CONFIG
    H, G, D = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
    T = len(tokens)
    x = w["model.embed_tokens.weight"][tokens]
    mask = torch.full((T, T), -math.inf).triu(1)
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        n = rms(x, w[p + "input_layernorm.weight"])
        q = rope((n @ w[p + "self_attn.q_proj.weight"].T).view(T, H, D))
        k = rope((n @ w[p + "self_attn.k_proj.weight"].T).view(T, G, D)).repeat_interleave(H // G, 1)
        v = (n @ w[p + "self_attn.v_proj.weight"].T).view(T, G, D).repeat_interleave(H // G, 1)
        s = torch.einsum("thd,uhd->htu", q, k) / math.sqrt(D) + mask
        a = torch.einsum("htu,uhd->thd", s.softmax(-1), v).reshape(T, H * D)
        x = x + a @ w[p + "self_attn.o_proj.weight"].T
        n = rms(x, w[p + "post_attention_layernorm.weight"])
        m = F.silu(n @ w[p + "mlp.gate_proj.weight"].T) * (n @ w[p + "mlp.up_proj.weight"].T)
        x = x + m @ w[p + "mlp.down_proj.weight"].T
    return rms(x, w["model.norm.weight"]) @ w["lm_head.weight"].T


def loss(w, documents):
    total, n, logits = 0.0, 0, []
    for tokens, targets in documents:
        y = forward(w, tokens)
        logits.append(y.detach())
        total = total + F.cross_entropy(y, targets, ignore_index=-1, reduction="sum")
        n += int((targets >= 0).sum())
    return total / n, torch.cat(logits)


def write(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, t in sorted(tensors.items()):
        raw = t.detach().float().contiguous().numpy().tobytes()
        header[name] = dict(dtype="F32", shape=list(t.shape), data_offsets=[len(data), len(data) + len(raw)])
        data += raw
    h = json.dumps(header, sort_keys=True).encode()
    h += b" " * (-len(h) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(h)) + h + data)


def main(path):
    torch.set_num_threads(1)
    g = torch.Generator().manual_seed(SEED)
    w = weights(g)
    documents = []
    for n in LENGTHS:
        tokens = torch.randint(CONFIG["vocab_size"], (n + 1,), generator=g)
        targets = tokens[1:].clone()
        targets[: n // 3] = -1  # a prompt
        documents.append((tokens[:-1], targets))
    first, logits = loss(w, documents)
    first.backward()
    out = {"weight." + k: v.detach().clone() for k, v in w.items()}
    out |= {"grad." + k: v.grad.clone() for k, v in w.items()}
    out |= {"tokens": torch.cat([d[0] for d in documents]), "targets": torch.cat([d[1] for d in documents]), "logits": logits}

    a = ADAMW
    optimizer = torch.optim.AdamW(
        [dict(params=[v for v in w.values() if v.dim() > 1], weight_decay=a["weight_decay"]),
         dict(params=[v for v in w.values() if v.dim() == 1], weight_decay=0.0)],
        lr=a["lr"], betas=(a["beta1"], a["beta2"]), eps=a["eps"])
    losses = []
    for _ in range(a["steps"]):
        optimizer.zero_grad()
        l, _ = loss(w, documents)
        l.backward()
        torch.nn.utils.clip_grad_norm_(w.values(), a["clip"])
        optimizer.step()
        losses.append(float(l))
    out["losses"] = torch.tensor(losses)
    write(path, out, {
        "config": json.dumps(CONFIG), "adamw": json.dumps(a), "lengths": json.dumps(LENGTHS),
        "seed": str(SEED), "torch": torch.__version__})


if __name__ == "__main__":
    main(sys.argv[1])
