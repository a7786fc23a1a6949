"""Writes format/tokenizer/testdata/golden.json: what the reference implementation makes of
texts that are easy to get wrong, with Pebble's tokenizer and with its vocabulary under the
splitting rules of other models.

    pip install tokenizers==0.23.3
    python tools/golden/tokenizer_golden.py
"""

import copy
import hashlib
import json
import random

from tokenizers import Tokenizer

# A pattern that no rule is written for: words with inner apostrophes.
APOSTROPHES = r" ?[\p{L}\p{M}]+(?:'[\p{L}\p{M}]+)*| ?\p{N}{1,3}| ?[^\s\p{L}\p{M}\p{N}]+|\s*[\r\n]+|\s+(?!\S)|\s+"
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
SPLIT = lambda pattern: {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
VARIANTS = {
    "pebble": {},
    "gpt2": {"pre_tokenizer": {**BYTE_LEVEL, "use_regex": True}},
    "prefix": {"pre_tokenizer": {**BYTE_LEVEL, "use_regex": True, "add_prefix_space": True}},
    "apostrophes": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [SPLIT({"Regex": APOSTROPHES}), BYTE_LEVEL]}},
    "digits": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, {**BYTE_LEVEL, "use_regex": True}]}},
    "string": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [SPLIT({"String": "."}), BYTE_LEVEL]}},
    "added": {"added": ["<tool>", "<tool><", " the", "ing th"]},
}

TEXTS = [
    "", " ", "  ", "\n", "\n\n", "\r\n\r\n", " \n", "\n ", "\t\tx", "a  b   c    d", "   leading", "trailing   ",
    "Summarize this patient note: 61yo male c/o worsening shortness of breath x 9 days. BP 119/84, T 98.8, O2 sat 83% RA.",
    "don't I'm you'd've o'clock 'quoted' rock'n'roll students' 's ' '' ''' it’s DON'T I'M can't've' x'1 1'x",
    "0 1 12 123 1234 12345 1234567890 1,234,567.89 -3.14e-10 2026-11-22T16:00:00Z ½ Ⅷ ²³ ٣٤٥٦ १२३४ 一二三",
    "def f(x):\n\treturn {'a': [x**2 for x in range(10)]}  # ok\n\n\n    if x != None and y >= 0x1F:\n        pass\n",
    'func main() {\r\n\tfmt.Println("héllo, 世界")\r\n}\r\n',
    '{"prompt": "a\\nb", "completion": null, "n": [1, 2.5e3, true]}', "<div class='x'>&nbsp;</div><!-- c -->",
    "SELECT * FROM t WHERE a_b_c = 'x''y' AND n<>3; -- done",
    "中文测试,没有空格。日本語のテキスト、カタカナ。 한국어 문장입니다. ภาษาไทยไม่มีช่องว่าง",
    "हिन्दी में संयुक्ताक्षर क्षत्रिय। العربيّة مع تشكيلٍ كامل. עִבְרִית עם ניקוד. Ελληνικά ΟΔΟΣ. Русский текст, ещё.",
    "Tiếng Việt có dấu. Tie\u0302\u0301ng Vie\u0302\u0323t (NFD). e\u0301 \u00e9 Å Å ﬁ ﬀ ß ẞ İ ı ǆ",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪🇫🇷 ❤️ 🏳️‍🌈 #️⃣ 👨🏿‍⚕️ \U0001F9FF\U0001FAE0 text😀text",
    "a\u00a0b\u2003c\u3000d\u200be\u2028f\u2029g\u0085h\u1680i\u202fj\u205fk\u180el\ufeffm\u000bn\u000co\u001cp\u001fq",
    "\x00\x01\x02\x7f\u0080\u009f\ufffd\ufffe\uffff\U0010ffff\ue000\U000e0001",
    "<|bos|>user<|sep|>assistant<|eos|><|pad|> <|eos|", "<|eos|><|eos|>", "<|EOS|> < |eos|>",
    "https://example.com/a/b?c=d&e=f#g user@example.org C:\\Users\\x ~/.bashrc $HOME ${x} `cmd` @@ ## %% ^^",
    "____ _____. ...... !!!!!! ?!?! ---- ===== **bold** ~~x~~ |a|b|\n|---|---|\n",
    "supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis Donaudampfschifffahrtsgesellschaft",
    "MiXeD CaSe CamelCase snake_case kebab-case SCREAMING_SNAKE x1y2z3 1st 2nd 3rd 4×4 50% $5.00 €9,99 £1",
    "the ing thing <tool> <tool><tool> using<tool><the string <tool", "a.b..c...", ". .. ...", "\u0301\u0301 \u0301a\u0301 '\u0301",
]
LONG = [("a", 300), ("a", 1 << 20), (" ", 5000), ("ab ", 40000), ("\n", 3000), ("the", 30000), ("9", 10001), ("!", 10001), ("é", 20000), ("世", 9999), ("x'", 8000), ("\u0301", 3000), (" \n\t", 3000), ("understanding", 5)]


def random_texts(n):
    r = random.Random(20261122)
    alphabet = list("  \n\r\t'’.,!?-_aabetTHEing0129") + ["é", "世", "😀", "\u0301", "\u00a0", "don't", " the", "12", "½", "ß", "\u200d", "\u3000"]
    for _ in range(n):
        yield "".join(r.choice(alphabet) for _ in range(r.randint(1, 40)))


def make(variant):
    with open("models/catalog/pebble/tokenizer.json", encoding="utf-8") as f:
        j = json.load(f)
    v = copy.deepcopy(variant)
    for i, content in enumerate(v.pop("added", [])):
        j["added_tokens"].append({"id": 8192 + i, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False})
    j.update(v)
    t = Tokenizer.from_str(json.dumps(j))
    t.encode_special_tokens = True  # special tokens in a text are ordinary text
    return t


def main():
    texts = TEXTS + list(random_texts(60))
    out = {"variants": {}, "texts": texts, "long": []}
    for name, variant in VARIANTS.items():
        t = make(variant)
        out["variants"][name] = {**variant, "ids": [t.encode(s).ids for s in texts]}
    pebble = make({})
    for s, n in LONG:
        ids = pebble.encode(s * n).ids
        digest = hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()
        out["long"].append({"text": s, "repeat": n, "count": len(ids), "sha256": digest})
    with open("format/tokenizer/testdata/golden.json", "w", encoding="utf-8") as f:
        json.dump(out, f, separators=(",", ":"), ensure_ascii=True)


main()
