"""Compares format/tokenizer with Hugging Face's tokenizers, for tokenizers of every kind.

    pip install tokenizers==0.23.3 sentencepiece==0.2.1 protobuf
    python tools/parity/tokenizer_kinds.py            # random texts through every kind; exit status 1 if one differs
    python tools/parity/tokenizer_kinds.py --texts 5000 --seed 7 --kinds llama3,t5
    python tools/parity/tokenizer_kinds.py unicode    # every code point through the splitting rules and normalizers
    python tools/parity/tokenizer_kinds.py golden     # writes format/tokenizer/testdata/kinds

Tokenizers that people use are not here: each kind is trained on the text below, and built
with the pre-tokenizer, normalizer, decoder, post-processor and flags that its family has.
"""

import argparse
import base64
import functools
import json
import os
import random
import subprocess
import sys
import tempfile

import sentencepiece as spm
from tokenizers import Tokenizer, models, pre_tokenizers, trainers, normalizers, Regex

sys.path.insert(0, os.path.dirname(__file__))
from tokenizer_texts import TRAIN, TEXTS, random_text  # noqa: E402

OUT = "format/tokenizer/testdata/kinds"

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
DEEPSEEK = [r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+",
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]


def byte_level(regex=True, prefix=False):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def pre(*all_):
    return {"type": "Sequence", "pretokenizers": list(all_)}


def norm(*all_):
    return {"type": "Sequence", "normalizers": list(all_)}


def dec(*all_):
    return {"type": "Sequence", "decoders": list(all_)}


def replace(pattern, content, kind="String"):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def metaspace(scheme="always", split_=True):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split_}


def template(single, tokens):
    """single: like "<s> $A </s>"; tokens: content -> id."""
    piece = lambda s: {"Sequence": {"id": s[1], "type_id": 0}} if s[0] == "$" else {"SpecialToken": {"id": s, "type_id": 0}}
    return {"type": "TemplateProcessing", "single": [piece(s) for s in single.split()],
            "pair": [piece("$A"), piece("$B")],
            "special_tokens": {s: {"id": s, "ids": [tokens[s]], "tokens": [s]} for s in single.split() if s[0] != "$"}}


def added(tok, *tokens):
    """Appends added tokens: (content, flags), flags out of s(pecial) n(ormalized) l(strip) r(strip) w(single word)."""
    vocab = vocab_of(tok)
    ids = {a["content"]: a["id"] for a in tok["added_tokens"]}
    for content, flags in tokens:
        size = max([-1, *vocab.values(), *ids.values()]) + 1
        ids[content] = vocab.get(content, size)
        tok["added_tokens"].append({"id": ids[content], "content": content, "special": "s" in flags, "normalized": "n" in flags,
                                    "lstrip": "l" in flags, "rstrip": "r" in flags, "single_word": "w" in flags})
    tok["added_tokens"].sort(key=lambda a: a["id"])
    return ids


def vocab_of(tok):
    v = tok["model"]["vocab"]
    return {t: i for i, (t, _) in enumerate(v)} if isinstance(v, list) else v


def file(model, **parts):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
            "post_processor": None, "decoder": None, **parts, "model": model}


def with_pre(t, j):
    t.pre_tokenizer = Tokenizer.from_str(json.dumps(file({"type": "WordLevel", "vocab": {}, "unk_token": ""}, pre_tokenizer=j))).pre_tokenizer
    return t


def train_bpe(size, pre_tokenizer, alphabet=None, **model):
    t = with_pre(Tokenizer(models.BPE(**model)), pre_tokenizer)
    kw = {k: v for k, v in model.items() if k in ("continuing_subword_prefix", "end_of_word_suffix") and v}
    t.train_from_iterator(TRAIN, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet or [], special_tokens=[model["unk_token"]] if model.get("unk_token") else [], show_progress=False, **kw))
    return json.loads(t.to_str())["model"]


def byte_bpe(pre_tokenizer, size=560, **flags):
    return {**train_bpe(size, pre_tokenizer, pre_tokenizers.ByteLevel.alphabet()), **flags}


def train_spm(kind, size, **kw):
    with tempfile.TemporaryDirectory() as d:
        args = dict(sentence_iterator=iter([l for t in TRAIN for l in t.split("\n") if l]), model_prefix=d + "/m", model_type=kind,
                    vocab_size=size, num_threads=1, hard_vocab_limit=False, minloglevel=2, normalization_rule_name="identity",
                    remove_extra_whitespaces=False, character_coverage=0.995)
        args.update(kw)
        spm.SentencePieceTrainer.train(**args)
        from sentencepiece import sentencepiece_model_pb2 as pb
        m = pb.ModelProto()
        with open(d + "/m.model", "rb") as f:
            m.ParseFromString(f.read())
    return m


def spm_bpe(size=700, **kw):
    m = train_spm("bpe", size, byte_fallback=True, **kw)
    vocab = {p.piece: i for i, p in enumerate(m.pieces)}
    score = {p.piece: p.score for p in m.pieces}
    merges = []
    for piece in vocab:
        local = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in vocab and piece[i:] in vocab]
        merges += [(score[piece], vocab[a], vocab[b], a, b) for a, b in local]
    merges.sort(key=lambda x: (-x[0], x[1], x[2]))
    return {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": True, "byte_fallback": True, "ignore_merges": False, "vocab": vocab, "merges": [[a, b] for *_, a, b in merges]}


def spm_unigram(size=700, byte_fallback=False, **kw):
    m = train_spm("unigram", size, byte_fallback=byte_fallback, **kw)
    return {"type": "Unigram", "unk_id": 0, "vocab": [[p.piece, p.score] for p in m.pieces], "byte_fallback": byte_fallback}, m


SP_DECODER = dec(replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0})
SP_SPECIALS = [("<unk>", "s"), ("<s>", "s"), ("</s>", "s")]

KINDS = {}


def kind(f):
    KINDS[f.__name__.replace("_", "-")] = f
    return f


@kind
def gpt2():
    p = byte_level()
    t = file(byte_bpe(p), pre_tokenizer=p, post_processor=byte_level(), decoder=byte_level())
    t["model"]["merges"] = [" ".join(m) for m in t["model"]["merges"]]  # as older files have them
    added(t, ("<|endoftext|>", "sn"))
    return t


@kind
def roberta():
    p = byte_level(prefix=True)
    t = file(byte_bpe(p), pre_tokenizer=p, decoder=byte_level(prefix=True))
    ids = added(t, ("<s>", "s"), ("</s>", "s"), ("<mask>", "sl"), ("<pad>", "sn"))
    t["post_processor"] = {"type": "RobertaProcessing", "sep": ["</s>", ids["</s>"]], "cls": ["<s>", ids["<s>"]], "trim_offsets": True, "add_prefix_space": True}
    return t


@kind
def llama3():
    p = pre(split(LLAMA3), byte_level(False))
    t = file(byte_bpe(p, ignore_merges=True), pre_tokenizer=p, decoder=byte_level())
    t["model"]["merges"] = t["model"]["merges"][::2] + t["model"]["merges"][-9:]  # so that ignore_merges matters
    ids = added(t, *[(s, "s") for s in ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")])
    t["post_processor"] = {"type": "Sequence", "processors": [byte_level(), template("<|begin_of_text|> $A", ids)]}
    keep_makeable(t)
    return t


def keep_makeable(t):
    """Drops merges whose parts no merge makes."""
    vocab = t["model"]["vocab"]
    t["model"]["merges"] = [m for m in t["model"]["merges"] if m[0] in vocab and m[1] in vocab and m[0] + m[1] in vocab]


@kind
def qwen2():
    p = pre(split(QWEN2), byte_level(False))
    t = file(byte_bpe(p), normalizer={"type": "NFC"}, pre_tokenizer=p, post_processor=byte_level(False), decoder=byte_level(False))
    added(t, ("<|endoftext|>", "s"), ("<|im_start|>", "s"), ("<|im_end|>", "s"), ("<think>", ""), ("</think>", ""), ("<tool_call>", ""))
    return t


@kind
def smollm2():
    p = pre({"type": "Digits", "individual_digits": True}, byte_level())
    t = file(byte_bpe(p), pre_tokenizer=p, decoder=byte_level(prefix=True))
    added(t, ("<|endoftext|>", "s"), ("<|im_start|>", "s"), ("<|im_end|>", "s"))
    return t


@kind
def gpt_neox():
    p = byte_level()
    t = file(byte_bpe(p), normalizer={"type": "NFC"}, pre_tokenizer=p, post_processor=byte_level(), decoder=byte_level())
    added(t, ("<|endoftext|>", "s"), *[(" " * n, "n") for n in range(24, 1, -1)])
    return t


@kind
def deepseek():
    p = pre(*[split(x) for x in DEEPSEEK], byte_level(False))
    t = file(byte_bpe(p), normalizer=norm(), pre_tokenizer=p, decoder=byte_level(False))
    ids = added(t, ("<｜begin▁of▁sentence｜>", "sn"), ("<｜end▁of▁sentence｜>", "sn"), ("<｜User｜>", "n"))
    t["post_processor"] = template("<｜begin▁of▁sentence｜> $A", ids)
    return t


@kind
def o200k():
    p = pre(split(O200K), byte_level(False))
    t = file(byte_bpe(p, ignore_merges=True), pre_tokenizer=p, post_processor=byte_level(False), decoder=byte_level(False))
    added(t, ("<|endoftext|>", "s"), ("<|im_start|>", "s"))
    return t


@kind
def clip():
    p = pre(split(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", "Removed", True), byte_level(True))
    m = train_bpe(700, p, pre_tokenizers.ByteLevel.alphabet(), end_of_word_suffix="</w>")
    t = file(m, normalizer=norm({"type": "NFC"}, replace(r"\s+", " ", "Regex"), {"type": "Lowercase"}), pre_tokenizer=p, decoder={"type": "BPEDecoder", "suffix": "</w>"})
    ids = added(t, ("<|startoftext|>", "s"), ("<|endoftext|>", "s"))
    t["model"]["unk_token"] = "<|endoftext|>"
    t["model"]["vocab"].update(ids)
    t["post_processor"] = {"type": "RobertaProcessing", "sep": ["<|endoftext|>", ids["<|endoftext|>"]], "cls": ["<|startoftext|>", ids["<|startoftext|>"]], "trim_offsets": False, "add_prefix_space": False}
    return t


@kind
def llama2():
    t = file(spm_bpe(), normalizer=norm({"type": "Prepend", "prepend": "▁"}, replace(" ", "▁")), decoder=SP_DECODER)
    ids = added(t, *SP_SPECIALS)
    t["post_processor"] = template("<s> $A", ids)
    return t


@kind
def mistral_metaspace():
    t = file(spm_bpe(), pre_tokenizer=metaspace("first", False), decoder=SP_DECODER)
    ids = added(t, *SP_SPECIALS, ("[INST]", "s"), ("[/INST]", "s"))
    t["post_processor"] = template("<s> $A", ids)
    return t


@kind
def phi3():
    t = llama2()
    t["added_tokens"] = []
    ids = added(t, ("<unk>", "s"), ("<s>", "s"), ("</s>", "r"), ("<|endoftext|>", "s"), ("<|assistant|>", "sr"), ("<|user|>", "sr"), ("<|end|>", "sr"), ("<|x|>", "sn"), ("<|y|>", "n"))
    t["post_processor"] = template("<s> $A", ids)
    return t


@kind
def gemma():
    m = spm_bpe(user_defined_symbols=["\n\n", "\n", "▁▁", "▁▁▁", "▁▁▁▁", "<b>", "\t"])
    t = file(m, normalizer=replace(" ", "▁"), pre_tokenizer=split(" ", "MergedWithPrevious", False, "String"),
             decoder=dec(replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"}))
    ids = added(t, *SP_SPECIALS, ("<start_of_turn>", "s"), ("<end_of_turn>", "s"), ("\n\n", ""), ("\n", ""), ("▁▁", ""), ("▁▁▁", ""), ("▁▁▁▁", ""), ("<b>", ""))
    t["post_processor"] = template("<s> $A", ids)
    return t


SMALL_RULES = [("\ufb01", "fi"), ("\u212b", "\u00c5"), ("\uff21", "A"), ("\u2460", "1"), ("\u3000", " "), ("\u0301", ""), ("e\u0301", "\u00e9"), ("\u2026", "..."), ("\u00a0", " "), ("\u00bd", "1/2"), ("\u00df", "ss"), ("ab", "ba")]


def charsmap(rules=None, name="identity"):
    with tempfile.TemporaryDirectory() as d:
        kw = {"normalization_rule_name": name}
        if rules:
            with open(d + "/r.tsv", "w") as f:
                for a, b in rules:
                    f.write(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n")
            kw = {"normalization_rule_tsv": d + "/r.tsv"}
        m = train_spm("unigram", 400, **kw)
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(m.normalizer_spec.precompiled_charsmap).decode()}


@kind
def t5():
    m, _ = spm_unigram()
    t = file(m, normalizer=charsmap(SMALL_RULES), pre_tokenizer=pre({"type": "WhitespaceSplit"}, metaspace()), decoder=metaspace())
    ids = added(t, *SP_SPECIALS, ("<pad>", "s"), *[(f"<extra_id_{i}>", "sl" if i else "sr") for i in range(3)])
    t["post_processor"] = template("$A </s>", ids)
    return t


@kind
def t5_nfkc():  # with SentencePiece's own rule
    return {**t5(), "normalizer": charsmap(None, "nmt_nfkc")}


TOO_LARGE = {"t5-nfkc"}  # for a golden


@kind
def unigram_bytes():
    m, _ = spm_unigram(800, True)
    t = file(m, normalizer={"type": "NFKC"}, pre_tokenizer=metaspace("first"), decoder=dec({"type": "ByteFallback"}, metaspace("first")))
    ids = added(t, *SP_SPECIALS, ("<sep>", "n"), ("<cls>", "nw"))
    t["post_processor"] = template("<s> $A </s>", ids)
    return t


@kind
def albert():
    m, _ = spm_unigram(600)
    t = file(m, normalizer=norm(replace("``", '"'), replace("''", '"'), {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Strip", "strip_left": True, "strip_right": True}, replace(" {2,}", " ", "Regex")),
             pre_tokenizer=metaspace(), decoder=metaspace())
    added(t, *SP_SPECIALS, ("[CLS]", "s"), ("[MASK]", "sl"))
    return t


@kind
def bert():
    p = {"type": "BertPreTokenizer"}
    t = with_pre(Tokenizer(models.WordPiece(unk_token="[UNK]")), p)
    t.normalizer = normalizers.BertNormalizer()
    t.train_from_iterator(TRAIN, trainers.WordPieceTrainer(vocab_size=700, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    j = json.loads(t.to_str())
    j["added_tokens"] = []
    ids = added(j, *[(s, "s") for s in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")])
    return {**j, "post_processor": template("[CLS] $A [SEP]", ids), "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}}


@kind
def wordlevel():
    words = sorted({w for text in TRAIN for w, _ in pre_tokenizers.Whitespace().pre_tokenize_str(text)})
    m = {"type": "WordLevel", "unk_token": "<unk>", "vocab": {w: i for i, w in enumerate(["<unk>", *words[:600]])}}
    t = file(m, pre_tokenizer={"type": "Whitespace"})
    added(t, ("<unk>", "s"), ("the", "w"), ("zz", "nlr"))
    return t


@kind
def bpe_words():
    t = file({**train_bpe(500, {"type": "Whitespace"}, unk_token="[UNK]", end_of_word_suffix="</w>"), "fuse_unk": False},
             pre_tokenizer={"type": "Whitespace"}, decoder={"type": "BPEDecoder", "suffix": "</w>"})
    added(t, ("[UNK]", "s"))
    return t


@kind
def bpe_subwords():
    m = {**train_bpe(500, {"type": "WhitespaceSplit"}, unk_token="[UNK]", continuing_subword_prefix="##"), "fuse_unk": True}
    for rare in [t for t in m["vocab"] if t[-1] in "zqjé世"][:9]:  # so that there is something unknown
        m["merges"] = [p for p in m["merges"] if rare not in (p[0], p[1], p[0] + p[1].removeprefix("##"))]
    t = file(m, pre_tokenizer={"type": "WhitespaceSplit"}, decoder={"type": "WordPiece", "prefix": "##", "cleanup": False})
    added(t, ("[UNK]", "s"))
    return t


# What replaces parts of a kind above: the name of the kind, then the parts.
VARIANTS = {
    "punctuation": ("bpe-words", {"pre_tokenizer": {"type": "Punctuation", "behavior": "Isolated"}}),
    "punctuation-contiguous": ("bpe-words", {"pre_tokenizer": pre({"type": "Punctuation", "behavior": "Contiguous"}, {"type": "Digits", "individual_digits": False})}),
    "previous": ("bpe-words", {"pre_tokenizer": split("[ -]", "MergedWithPrevious")}),
    "next": ("bpe-words", {"pre_tokenizer": split("[ -]", "MergedWithNext")}),
    "contiguous": ("bpe-words", {"pre_tokenizer": split("[ -]", "Contiguous")}),
    "inverted": ("bpe-words", {"pre_tokenizer": split(r"\p{L}+", "Removed", True)}),
    "delimiter": ("bpe-words", {"pre_tokenizer": pre({"type": "CharDelimiterSplit", "delimiter": "e"}, {"type": "FixedLength", "length": 7})}),
    "empty-pattern": ("bpe-words", {"pre_tokenizer": split("", "Isolated", False, "String")}),
    "lines": ("bpe-words", {"pre_tokenizer": split("^.|$")}),
    "possible-nothing": ("bpe-words", {"pre_tokenizer": split("x*", "MergedWithPrevious")}),
    "nfd": ("gpt2", {"normalizer": {"type": "NFD"}}),
    "nfkc": ("gpt2", {"normalizer": {"type": "NFKC"}}),
    "nfkd": ("gpt2", {"normalizer": {"type": "NFKD"}}),
    "nmt": ("gpt2", {"normalizer": norm({"type": "Nmt"}, {"type": "Strip", "strip_left": False, "strip_right": True})}),
    "lowercase": ("gpt2", {"normalizer": norm({"type": "Lowercase"}, {"type": "StripAccents"})}),
    "replace": ("gpt2", {"normalizer": norm(replace("[aeiou]+(?=[^aeiou])", "", "Regex"), replace("  ", ""))}),
    "byte-normalizer": ("gpt2", {"normalizer": {"type": "ByteLevel"}, "pre_tokenizer": split("Ġ", "MergedWithNext", False, "String")}),
    "byte-then-digits": ("gpt2", {"pre_tokenizer": pre(byte_level(True, True), {"type": "Digits", "individual_digits": True})}),
    "prefix-inside": ("gpt2", {"pre_tokenizer": pre({"type": "Punctuation", "behavior": "Isolated"}, byte_level(True, True))}),
    "bert-cased": ("bert", {"normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": False, "strip_accents": None, "lowercase": False}}),
    "metaspace-never": ("llama2", {"normalizer": None, "pre_tokenizer": metaspace("never"), "decoder": metaspace("never")}),
    "metaspace-first-strip": ("llama2", {"normalizer": {"type": "Strip", "strip_left": True, "strip_right": False}, "pre_tokenizer": metaspace("first"), "decoder": metaspace("first")}),
    "no-decoder": ("llama2", {"decoder": None}),
    "replace-fused": ("llama2", {"decoder": dec({"type": "Fuse"}, replace("▁t", "_T"), {"type": "Strip", "content": "▁", "start": 1, "stop": 2})}),
    "strip-tokens": ("llama2", {"decoder": {"type": "Strip", "content": "▁", "start": 1, "stop": 0}}),
    "byte-strip": ("gpt2", {"decoder": dec(byte_level(), {"type": "Strip", "content": " ", "start": 2, "stop": 1})}),
}


@functools.cache  # training is not the same twice: equal counts come in any order
def built(name):
    return json.dumps(KINDS[name]())


def build(name):
    base, parts = VARIANTS.get(name, (name, {}))
    return {**json.loads(built(base)), **parts}


# Comparison

def reference(t, texts):
    """What Hugging Face's tokenizers make of texts: plain, special, post."""
    out = {"special": [t.encode(s, add_special_tokens=False).ids for s in texts], "post": [t.encode(s).ids for s in texts]}
    t.encode_special_tokens = True
    out["plain"] = [t.encode(s, add_special_tokens=False).ids for s in texts]
    t.encode_special_tokens = False
    return out


def guarded(j, plain):
    """None where text became a special token, which we never let it."""
    special = {a["id"] for a in j["added_tokens"] if a["special"]}
    vocab = vocab_of(j)
    unknown = {vocab.get(j["model"].get("unk_token"), j["model"].get("unk_id"))}
    return [None if special - unknown & set(ids) and set(ids) & (special - unknown) else ids for ids in plain]


def decode_ids(j, r, n):
    """Lists of ids as a model may produce them."""
    size = max([*vocab_of(j).values(), *[a["id"] for a in j["added_tokens"]]]) + 1
    return [[r.randrange(size + 2) for _ in range(r.randint(0, 24))] for _ in range(n)]


def reference_decode(t, lists):
    out = []
    special = {i for i, a in t.get_added_tokens_decoder().items() if a.special}  # one that a normalizer changes would not be left out
    for ids in lists:
        try:
            out.append(t.decode([i for i in ids if i not in special]))
        except BaseException as e:  # a panic: BPEDecoder without tokens, Strip of a short token
            if type(e).__name__ not in ("PanicException", "Exception"):
                raise
            out.append(None)
    return out


def differences(name, want, got, texts, lists):
    for key in ("plain", "special", "post"):
        for s, a, b in zip(texts, want[key], got[key]):
            if a is not None and a != b:
                yield f"{name} {key} {s!r}:\n  want {a}\n  got  {b}"
    for ids, a, b in zip(lists, want["decoded"], got["decoded"]):
        if a is not None and a != b:
            yield f"{name} decodes {ids}:\n  want {a!r}\n  got  {b!r}"
    for e in got["errors"] or []:
        yield f"{name}: {e}"
    for s, ids, starts in zip(texts, got["special"], got["starts"]):
        if len(ids or []) != len(starts or []):
            yield f"{name} {s!r}: {len(ids)} tokens with {len(starts)} beginnings"


def ask(binary, questions):
    p = subprocess.run([binary], input="\n".join(map(json.dumps, questions)), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in p.stdout.split("\n") if line]


def compare(names, n, seed):
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(["go", "build", "-o", d + "/tokenize", "./tools/tokenize"], check=True)
        bad = 0
        for name in names:
            j = build(name)
            r = random.Random(f"{seed} {name}")
            path = f"{d}/{name}.json"
            with open(path, "w") as f:
                json.dump(j, f)
            t = Tokenizer.from_file(path)
            contents = [a["content"] for a in j["added_tokens"]]
            texts = TEXTS + [random_text(r, contents) for _ in range(n)]
            want = reference(t, texts)
            want["plain"] = guarded(j, want["plain"])
            lists = want["special"][:400] + decode_ids(j, r, n)
            want["decoded"] = reference_decode(t, lists)
            got, = ask(d + "/tokenize", [{"tokenizer": path, "texts": texts, "decode": lists}])
            found = list(differences(name, want, got, texts, lists))
            bad += len(found)
            print(f"{name}: {len(texts)} texts, {len(lists)} lists of ids, {len(found)} differences", flush=True)
            for line in found[:5]:
                print("  " + line)
    return bad


def golden(names):
    os.makedirs(OUT, exist_ok=True)
    for f in os.listdir(OUT):
        os.remove(f"{OUT}/{f}")
    dump = lambda path, j: open(path, "w", encoding="utf-8").write(json.dumps(j, ensure_ascii=True, separators=(",", ":")) + "\n")
    dump(f"{OUT}/texts.json", TEXTS)
    for name in names:
        if name in TOO_LARGE:
            continue
        j = build(name)
        t = Tokenizer.from_str(json.dumps(j))
        g = reference(t, TEXTS)
        g["plain"] = [None if a == b else a for a, b in zip(guarded(j, g["plain"]), g["special"])]  # null: as special, or not ours
        g["post"] = g["post"][:3]
        r = random.Random(name)
        g["lists"] = decode_ids(j, r, 12)
        g["decoded"] = reference_decode(t, g["special"] + g["lists"])
        if name in VARIANTS:
            g["base"], g["parts"] = VARIANTS[name]
        else:
            dump(f"{OUT}/{name}.tokenizer.json", j)
        dump(f"{OUT}/{name}.golden.json", g)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("what", nargs="?", default="compare", choices=["compare", "golden", "unicode"])
    p.add_argument("--texts", type=int, default=500)
    p.add_argument("--seed", default="1")
    p.add_argument("--kinds", default=",".join([*KINDS, *VARIANTS]))
    a = p.parse_args()
    if a.what == "golden":
        golden(a.kinds.split(","))
    elif a.what == "unicode":
        sys.exit(1 if every_code_point() else 0)
    else:
        sys.exit(1 if compare(a.kinds.split(","), a.texts, a.seed) else 0)


def every_code_point():
    """Runs each code point, among others that show its class, through the rules that read Unicode's tables."""
    words = {"type": "WordLevel", "unk_token": "?", "vocab": {w: i for i, w in enumerate(["?", "x", "xx", "1", "11", "!", " ", "x x", " x", " 1"])}}
    stages = {"llama3": pre(split(LLAMA3)), "qwen2": pre(split(QWEN2)), "digits": {"type": "Digits", "individual_digits": False}, "words": {"type": "Whitespace"},
              "punctuation": {"type": "Punctuation", "behavior": "Isolated"}, "white": {"type": "WhitespaceSplit"}}
    texts = [f"x{chr(c)}x 1{chr(c)}1 !{chr(c)}x {chr(c)}" for c in range(0x40000) if not 0xD800 <= c < 0xE000]  # nothing has a class beyond
    files = {n: file(words, pre_tokenizer=s) for n, s in stages.items()}
    letters = file({"type": "BPE", "vocab": {}, "merges": []})
    for n in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"):
        m = byte_bpe(byte_level(), 257)
        files[n] = file(m, normalizer={"type": n}, pre_tokenizer=byte_level(False), decoder=byte_level())
    bad = 0
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(["go", "build", "-o", d + "/tokenize", "./tools/tokenize"], check=True)
        for name, j in files.items():
            path = f"{d}/t.json"
            with open(path, "w") as f:
                json.dump(j, f)
            t = Tokenizer.from_file(path)
            n = 0
            for i in range(0, len(texts), 100_000):
                part = texts[i:i + 100_000]
                got, = ask(d + "/tokenize", [{"tokenizer": path, "texts": part, "decode": []}])
                for s, e, b in zip(part, t.encode_batch(part), got["plain"]):
                    if e.ids != b:
                        n += 1
                        if n <= 3:
                            print(f"  {name} {ord(s[1]):#x} {s!r}: want {e.ids}, got {b}")
            print(f"{name}: {len(texts)} code points, {n} differ", flush=True)
            bad += n
    return bad


if __name__ == "__main__":
    main()
