"""The peer model: a Llama-style decoder in plain PyTorch, with random weights.

It computes what Outcrop's model of the same shape computes (RMSNorm, rotary positions,
grouped queries, SwiGLU, tied head), written the way a PyTorch user would write it.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Shape:
    hidden: int
    ffn: int
    layers: int
    heads: int
    kv: int
    vocab: int
    context: int = 1024
    head: int = 64


# The shapes of `outcrop bench` (package bench).
SHAPES = {
    "a": Shape(hidden=256, ffn=688, layers=8, heads=4, kv=4, vocab=8192),
    "b": Shape(hidden=576, ffn=1536, layers=30, heads=9, kv=3, vocab=49152),
}


class LoRA(nn.Module):
    """A frozen linear layer beside a trained product of rank `rank`."""

    def __init__(self, into: int, out: int, rank: int, dtype: torch.dtype):
        super().__init__()
        self.base = nn.Linear(into, out, bias=False, dtype=dtype).requires_grad_(False)
        self.down = nn.Parameter(torch.empty(rank, into))
        self.up = nn.Parameter(torch.zeros(out, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.scale = 2.0  # alpha = 2·rank, as is usual

    def forward(self, x):
        return self.base(x) + F.linear(F.linear(x, self.down), self.up) * self.scale


class Attention(nn.Module):
    """Causal attention; `fused` uses scaled_dot_product_attention, else two products."""

    def __init__(self, s: Shape, linear, fused: bool):
        super().__init__()
        self.s, self.fused = s, fused
        self.q = linear(s.hidden, s.heads * s.head)
        self.k = linear(s.hidden, s.kv * s.head)
        self.v = linear(s.hidden, s.kv * s.head)
        self.o = linear(s.heads * s.head, s.hidden)

    def forward(self, x, turn, past):
        rows, length, _ = x.shape
        split = lambda y, n: y.view(rows, length, n, self.s.head).transpose(1, 2)
        q = rotate(split(self.q(x), self.s.heads), turn)
        k = rotate(split(self.k(x), self.s.kv), turn)
        v = split(self.v(x), self.s.kv)
        if past is not None:
            k, v = past.append(k, v)
        share = self.s.heads // self.s.kv
        if share > 1:
            k, v = k.repeat_interleave(share, dim=1), v.repeat_interleave(share, dim=1)
        y = self.mix(q, k, v).transpose(1, 2).reshape(rows, length, -1)
        return self.o(y)

    def mix(self, q, k, v):
        length, seen = q.shape[2], k.shape[2]
        if self.fused or length == 1:
            return F.scaled_dot_product_attention(q, k, v, is_causal=length > 1)
        scores = q @ k.transpose(-1, -2) * self.s.head**-0.5
        hidden = torch.ones(length, seen, dtype=torch.bool).triu(seen - length + 1)
        return scores.masked_fill(hidden, -math.inf).softmax(-1).to(v.dtype) @ v


class Block(nn.Module):
    def __init__(self, s: Shape, linear, fused: bool):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(s.hidden, eps=1e-5), nn.RMSNorm(s.hidden, eps=1e-5)
        self.attention = Attention(s, linear, fused)
        self.gate, self.up = linear(s.hidden, s.ffn), linear(s.hidden, s.ffn)
        self.down = linear(s.ffn, s.hidden)

    def forward(self, x, turn, past):
        x = x + self.attention(self.norm1(x), turn, past)
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Decoder(nn.Module):
    """rank > 0 freezes all but adapters of that rank on every linear layer."""

    def __init__(self, s: Shape, fused: bool, rank: int = 0, frozen: torch.dtype = torch.float32):
        super().__init__()
        self.s = s
        if rank:
            linear = lambda i, o: LoRA(i, o, rank, frozen)
        else:
            linear = lambda i, o: nn.Linear(i, o, bias=False)
        self.embed = nn.Embedding(s.vocab, s.hidden)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(s, linear, fused) for _ in range(s.layers))
        self.norm = nn.RMSNorm(s.hidden, eps=1e-5)
        angle = torch.outer(torch.arange(s.context), 10000.0 ** (-torch.arange(0, s.head, 2) / s.head))
        self.register_buffer("cos", torch.cat([angle.cos()] * 2, -1), persistent=False)
        self.register_buffer("sin", torch.cat([angle.sin()] * 2, -1), persistent=False)
        if rank:
            self.embed.weight.data = self.embed.weight.data.to(frozen)
            for name, p in self.named_parameters():
                p.requires_grad_(name.endswith((".down", ".up")))

    def forward(self, tokens, past=None, last=False):
        at = past.length if past is not None else 0
        x = self.embed(tokens)
        turn = (self.cos[at : at + tokens.shape[1]].to(x.dtype), self.sin[at : at + tokens.shape[1]].to(x.dtype))
        for i, block in enumerate(self.blocks):
            x = block(x, turn, past.layer(i) if past is not None else None)
        if past is not None:
            past.length += tokens.shape[1]
        if last:
            x = x[:, -1:]
        return F.linear(self.norm(x), self.embed.weight)


def rotate(x, turn):
    cos, sin = turn
    half = x.shape[-1] // 2
    return x * cos.to(x.dtype) + torch.cat([-x[..., half:], x[..., :half]], -1) * sin.to(x.dtype)


class Past:
    """The keys and values of a document so far, in one buffer a layer."""

    def __init__(self, s: Shape, dtype: torch.dtype):
        self.length = 0
        make = lambda: torch.zeros(1, s.kv, s.context, s.head, dtype=dtype)
        self.layers = [(make(), make()) for _ in range(s.layers)]

    def layer(self, i):
        self.keys, self.values = self.layers[i]
        return self

    def append(self, k, v):
        end = self.length + k.shape[2]
        self.keys[:, :, self.length : end], self.values[:, :, self.length : end] = k, v
        return self.keys[:, :, :end], self.values[:, :, :end]
