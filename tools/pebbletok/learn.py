"""Learn the merges of Pebble's tokenizer: byte-level BPE whose text is cut by Llama 3's pattern,
which every runtime of GGUF files knows too.

    pip install tokenizers==0.23.3 zstandard==0.25.0
    python tools/pebbletok/learn.py MERGES.json ../shared/data/pretrain/{corpus,instruct}.train.jsonl.zst
    go run ./tools/pebbletok MERGES.json models/catalog/pebble

Lines whose licence the model may not be trained on are left out. Ids: 0-255 are the bytes, then
the merges in the order they were learnt.
"""

import io
import json
import sys

import zstandard
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
           r"\s*[\r\n]+|\s+(?!\S)|\s+")
VOCABULARY = 8192  # 256 bytes, merges, and room for eight special tokens
EXCLUDED_GROUPS = {"books-gutenberg"}  # old spelling


def allowed(record):
    licence = record["licence"]  # the rule of engine/train/pretrain, shareable
    return "-SA" not in licence and "may be in copyright outside US" not in licence and \
        record.get("group") not in EXCLUDED_GROUPS


def texts(paths):
    for path in paths:
        with open(path, "rb") as f:
            for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(f), encoding="utf-8"):
                record = json.loads(line)
                if allowed(record):
                    yield from (record[k] for k in ("text", "prompt", "completion") if k in record)


def main():
    out, paths = sys.argv[1], sys.argv[2:]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(texts(paths), trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False, special_tokens=[]))
    # GPT-2's spelling of bytes: those that print are themselves, the others follow from U+0100.
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spelling = {chr(b): b for b in plain}
    spelling |= {chr(256 + i): b for i, b in enumerate(b for b in range(256) if b not in plain)}
    ids, merges = dict(spelling), []
    for left, right in json.loads(tokenizer.to_str())["model"]["merges"]:
        merges.append([ids[left], ids[right]])
        ids[left + right] = 255 + len(merges)
    with open(out, "w", encoding="utf-8") as f:
        json.dump({"merges": merges}, f, separators=(",", ":"))
    print(len(merges), "merges")


if __name__ == "__main__":
    main()
