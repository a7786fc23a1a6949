"""Text that tokenizers are trained on and asked about: our own, in many scripts, and torture."""

TRAIN = [
    "The patient was seen in the morning. She says that her cough is better, but she still can't sleep through the night.",
    "We don't know what they'll do; I'm sure you've heard it, and he'd rather they're here. It's the dog's. Don't! WE'LL SEE.",
    "def add(a, b):\n    return a + b\n\nclass Tree:\n    def __init__(self, left=None, right=None):\n        self.left, self.right = left, right\n",
    "func main() {\n\tfor i := 0; i < 10; i++ {\n\t\tfmt.Println(\"hello\", i)\n\t}\n}\n",
    "SELECT name, count(*) FROM people WHERE age >= 21 GROUP BY name HAVING count(*) > 3 ORDER BY 2 DESC;\n",
    '{"id": 17, "name": "Ada", "tags": ["a", "b"], "ok": true, "ratio": 0.25, "none": null}\n',
    "In 1999 there were 12 of them, in 2024 already 1,234,567; that is 3.14 times as many, or 100 %.",
    "Der Fluß fließt über die Brücke, und die Mädchen hören schöne Musik. Größe ist relativ.",
    "L'été, les élèves français mangent des crêpes à la pêche; où est la forêt? Ça va, merci.",
    "El niño comió una piña en la mañana. ¿Qué pasó? ¡Nada! La cigüeña voló.",
    "Мама мыла раму, а папа читал газету. Сегодня хорошая погода, и мы идём гулять в парк.",
    "Η γλώσσα είναι ελληνική και ο ήλιος λάμπει πάνω από τη θάλασσα.",
    "今天天气很好,我们去公园散步。中文没有空格,所以分词很难。她说:你好!",
    "日本語の文章です。カタカナとひらがなと漢字がまざっています。東京は大きいです。",
    "오늘은 날씨가 좋아서 공원에 갔어요. 한국어는 띄어쓰기가 있습니다.",
    "صباح الخير، كيف حالك اليوم؟ الطقس جميل جدا في المدينة.",
    "बच्चे मैदान में खेल रहे हैं। आज मौसम बहुत अच्छा है।",
    "สวัสดีตอนเช้า วันนี้อากาศดีมาก",
    "Hôm nay trời đẹp, chúng tôi đi dạo trong công viên và uống cà phê.",
    "🙂 great! 👍🏽 see you 🎉🎉 at the party ❤️ 👨‍👩‍👧 and bring cake 🎂",
    "   indented text\n\n\n\ttabbed  twice   thrice\r\nwindows line\r\n\r\nend   \n",
    "https://example.org/path?query=1&b=2#frag user.name@example.org C:\\temp\\x.txt /usr/lib/x86_64 --flag=value $HOME",
    "the the the and and of to in that it was for on with as at by this from they we say her she or an will my one all would there their what so up out if about who get which go me when make can like time no just him know take people into year your good some could them see other than then now look only come its over think also back after use two how our work first well way even new want because any these give day most us",
    "Mr. Smith asked, \"Why is the sky blue?\" -- and nobody (not one!) answered... [sic] {x} <y> ~z~ `w` ^v^ *u* _t_ |s|",
]

_LONG = "a" * 300

TEXTS = [
    "", " ", "  ", "   ", "\n", "\n\n", "\n\n\n", "\r\n", "\t", " \n ", "a", " a", "a ", " a ", "  a  b   c    d     e",
    "The patient can't sleep, and they'll see her again at 10:45 on 12 January 2031.",
    "don't DON'T Don'T we'LL I'M it'ſ 'S'T'Re'VE x'll' ''' ' 's", "hello world\nhello  world\n\n  hello\tworld\r\n\r\nend",
    "0 01 012 0123 01234 3.14159 1,000,000 ½ ² Ⅷ ٣٤٥ १२३ 1a2b3c $5 -7 1e-9 0xFF",
    "def f(x):\n\treturn [y**2 for y in range(x)]  # squares\n\n\nif __name__ == '__main__':\n    print(f(3))\n",
    '{"a": [1, 2.5, null], "b\\n": "c"} <p class="x">&amp;</p> // c --> ## @@ %% \\d+',
    "中文和English混排,测试。日本語テスト、カナ。 한국어 시험입니다. ภาษาไทย हिन्दी क्षत्रिय العربيّة עִבְרִית",
    "Größe, Übung, ÉCOLE, naïve façade, İstanbul ıI ΣΊΣΥΦΟΣ ΟΔΟΣ ẞ ß ǅ ﬁ ﬀ ﬆ Ａ①…",
    "e\u0301 e\u0301\u0301 a\u0323\u0302 \u0344 \u1e9b\u0323 \u0301lead q\u0307\u0323 \uac00\u11a8 \u1100\u1161\u11a8 \u0958 \u2126 \u212b",
    "👩‍👩‍👧‍👦 👍🏽🇩🇪🇫🇷 ❤️ 🏳️‍🌈 #️⃣ text😀text 🙂🙂 \U0001FAE0 ☃ ☃️",
    "a\u00a0b\u2003c\u3000d\u200be\u2028f\u2029g\u0085h\u1680i\u202fj\u205fk\u180el\ufeffm\u000bn\u000co\u001cp\u001fq\u00adr",
    "\x00\x01\x02\x07\x08\x1b\x7f\u0080\u009f\ufffd\ufffe\uffff\U0010ffff\ue000\U000e0001\u0378",
    "<s> </s> <unk> <pad> <s>a</s> <<s>> < s> [INST] hi [/INST] [MASK] [CLS][SEP][UNK] <mask>",
    "<|endoftext|> <|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nHello",
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|> <|end_of_text|>",
    "<start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\n", "<|user|>\nhi<|end|>\n<|assistant|>\n  yes <|x|> <|y|> a<|y|>b",
    "<｜begin▁of▁sentence｜><｜User｜>hi<｜end▁of▁sentence｜>", "a <extra_id_0> b  <extra_id_1>  c<extra_id_2> d",
    "▁ ▁▁ a▁b ▁a ▁▁▁a▁▁ <0x41> <0x0A> <0xZZ> Ġ Ċ âĢĻ </w> ## ##ing", "the zz thezz zz the, the", "<cls> a<cls> <cls>b <sep><sep>",
    "https://example.org/a/b?c=d&e=f C:\\x\\y user@host ~/.config `cmd` $A ${b} snake_case camelCase SCREAMING_CASE kebab-case",
    "......!!!???---===***___ (a) [b] {c} «d» „e“ “f” ‘g’ 、。「」 a-b a - b --a-- a--b e e-e",
    _LONG, "é" * 90, "🙂" * 40, "世" * 77, " " * 130, "\n" * 70, "\u0301" * 40, "x" + "\u0323\u0301" * 40 + "y", "ab" * 120, "12" * 60, "'" * 66, "word " * 40, "<s>" * 20,
]

_PARTS = list("  \n\r\t'’.,!?-_aabcdeghilnorstTHEISx0129▁Ġ#<>|/") + [
    "é", "e\u0301", "ß", "ſ", "世", "界", "です", "한", "ع", "ё", "क्ष", "ไทย", "😀", "👍🏽", "👩‍👧", "\u0301", "\u0323", "\u200d", "\ufe0f", "\u00a0", "\u3000", "\u2028", "\u0085", "½", "Ⅷ", "٣",
    "don't", " the", "the", " and", "ing", "er", "tion", "12", "2024", "<0x0A>", "``", "''", "ab", "ﬁ", "Å", "①", "İ", "Σ", "\x00", "\x1f", "\ufffd", "    ", "\n\n", "  ", "[UNK]", "\U00010d4a", "\U0001e5f1", "ꟲ",
    "return", "self.", "():", "\n    ", "http://", " = ", "...", "- ", "x'", "'S", "A1",
]


def random_text(r, contents):
    """A text of random parts, some of them added tokens."""
    parts = _PARTS + contents * max(1, 12 // max(1, len(contents)))
    n = r.choice([1, 2, 3, 5, 8, 13, 21, 40, 90])
    if r.random() < 0.1:
        return "".join(chr(r.choice([r.randrange(0x20, 0x180), r.randrange(0x300, 0x2fff), r.randrange(0x3000, 0xd7ff), r.randrange(0xe000, 0x20000)])) for _ in range(n))
    if r.random() < 0.1:
        return r.choice(parts) * r.randint(1, 150)
    return "".join(r.choice(parts) for _ in range(n))
