"""What the language of chat templates is tested on: snippets, each rendered by transformers and by Outcrop.

Every snippet sees VARIABLES; " | " separates the values, "|" without spaces is the filter. One whose rendering is an exception in Python must be an error in Outcrop too."""

VARIABLES = {
    "text": " Hello, World \n",
    "word": "straße ﬁ",
    "code": "a<b> & 'c' \"d\"\\\n\té😀",
    "empty": "",
    "nothing": None,
    "yes": True,
    "no": False,
    "n": 7,
    "neg": -7,
    "f": 2.5,
    "items": ["b", "a", "C", "a"],
    "numbers": [3, 1, 2],
    "mixed": [1, "a", None, True, 2.0, [1, 2], {"k": "v"}],
    "d": {"b": 2, "a": 1, "items": 3, "C": [1]},
    "people": [
        {"name": "Ann", "age": 30, "tags": ["x"], "address": {"city": "Bonn"}},
        {"name": "bob", "age": 25, "address": {"city": "Ulm"}},
        {"name": "Cy", "age": 30, "tags": [], "address": {"city": "Kiel"}},
    ],
    "think": "<think>\nhm\n</think>\n\nanswer",
    "messages": [
        {"role": "system", "content": "S"},
        {"role": "user", "content": " U1 "},
        {"role": "assistant", "content": "A1"},
        {"role": "user", "content": "U2"},
    ],
}

VALUES = """
text | word | text|trim | text.strip() | text|length | word|upper | word|capitalize | 'hello wORLD it\\'s x-y'|title | 'ab cd'.title() | text|lower
text.split() | text.split(',') | 'a,b,,c'.split(',') | 'a,b,,c'.split(',', 1) | 'a b  c'.split(None, 1) | 'a,b,c'.rsplit(',', 1) | ' a b '.split() | ''.split() | ''.split(',')
think.split('</think>')[-1].lstrip('\\n') | think.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') | '</think>' in think | 'zzz' not in think
text[0] | text[-3:] | text[1:4] | text[::-1] | text[::2] | text[100] | text[2:100] | text[-100:3] | word[4] | word[3:5] | text[5:2] | numbers[1:] | numbers[::-1] | numbers[-1] | numbers[9] | numbers[:-1] | numbers[::2] | items[1:3][0]
'xxabxx'.strip('x') | 'xxabxx'.lstrip('x') | 'xxabxx'.rstrip('x') | 'abc'.startswith('ab') | 'abc'.endswith(('x', 'bc')) | 'abc'.find('c') | 'abc'.find('z') | 'straßen'.find('n') | 'aXbX'.replace('X', '--') | 'aXbX'.replace('X', '-', 1) | 'ab'.replace('', '-') | 'abc'.count('b') | 'a'.join(['x', 'y']) | 'abc'.removeprefix('a') | 'abc'.removesuffix('bc') | 'a=b=c'.partition('=') | 'a=b=c'.rpartition('=') | 'abc'.partition('x') | 'abc'.index('z') | '12'.isdigit() | ''.isdigit() | 'ab'.isalpha() | 'AB'.isupper() | 'a b\\nc'.splitlines() | 'a\\r\\nb\\n'.splitlines(true)
'{} and {}'.format(1, 'x') | '{0}{1}{0}'.format('a', 'b') | '{x}'.format(x=3) | '{{}}'.format() | '%s is %d' % ('a', 3) | '%s' % 5 | '100%%' % () | '%s'|format('z')
n + 1 | n - 10 | n * 3 | n / 2 | n // 2 | neg // 2 | n % 3 | neg % 3 | n % -3 | 2 ** 10 | 2 ** -1 | -2 ** 2 | 7 // 0 | n + f | f * 2 | f // 1 | 1e20 | 1e-7 | 1.5e3 | 100000.0 | 0.1 + 0.2 | 1_000 | 0x1F | 0b101 | 0o17 | 3.0 | -n | +n | - -n | not n | not not n
1 + 2 * 3 - 4 | (1 + 2) * 3 | 'a' ~ 1 ~ none ~ true ~ 2.5 | 'a' + 'b' | 'a' + 1 | 'a' * 3 | 3 * 'ab' | [1] + [2] | [1] * 3 | (1, 2) + (3,) | [1] + (2,) | 'a' 'b' "c" | yes + 1 | 2 - 'a'
1 < 2 | 1 < 2 < 3 | 3 > 2 > 2 | 'a' < 'b' | 1 == 1.0 | 1 == true | '1' == 1 | none == none | [1, 2] == [1, 2] | (1, 2) == [1, 2] | {'a': 1} == {'a': 1.0} | 1 != 2 | 2 in numbers | 9 in numbers | 'a' in d | 'zz' in d | 1 < 'a' | [1, 2] < [1, 3] | none < 1 | 'b' not in items | 1 in 'abc'
yes and no | yes and 'x' | no or 'x' | no or none | not yes or yes | 'a' if yes else 'b' | 'a' if no else 'b' | 'a' if no | ('a' if no) is undefined | 1 if no else 2 if no else 3 | (yes, no) | (1,) | () | [] | [1, [2, 'x']] | {} | {'a': [1, none], 'b': {'c': 'it\\'s'}} | [true, 1.0, none] | ['a\\n\\t"\\'']
d.a | d['a'] | d['items'] | d.zzz | d['zzz'] | d.zzz.y | zzz | zzz.y | zzz['y'] | zzz() | d.get('a') | d.get('q') | d.get('q', 5) | d.keys()|list | d.values()|list | d.items()|list | d|length | d|list | d|items|list | d|dictsort | d|dictsort(by='value')
numbers.0 | people[0].name | people[0].address.city | people[1].tags is defined | people[1].tags is not defined | people[0]['address']['city']
items|first | items|last | []|first | items|join | items|join(', ') | numbers|join('-') | people|map(attribute='name')|join(',') | people|map(attribute='address.city')|list | people|map(attribute='tags', default='-')|list | items|map('upper')|list | [' a ', 'b ']|map('trim')|join('|') | people|join(';', attribute='name')
items|sort | items|sort(reverse=true) | items|sort(case_sensitive=true) | people|sort(attribute='age')|map(attribute='name')|list | items|unique|list | items|reverse|list | 'abc'|reverse | numbers|sum | people|sum(attribute='age') | numbers|min | numbers|max | items|max | []|max | numbers|list | 'abc'|list
numbers|select('odd')|list | numbers|reject('odd')|list | numbers|select('>', 1)|list | mixed|select|list | people|selectattr('tags')|map(attribute='name')|list | people|selectattr('age', 'equalto', 30)|map(attribute='name')|list | people|rejectattr('age', 'eq', 30)|map(attribute='name')|list | people|selectattr('tags', 'defined')|list|length | messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|join('/') | messages|rejectattr('role', 'in', ['system', 'user'])|list|length
'5'|int | 'x'|int | 'x'|int(9) | '2.9'|int | 2.9|int | '1.5'|float | 'q'|float | n|float | n|string | 'abc'|wordcount | -3|abs | neg|abs | 2.567|round(2) | 2.5|round | 3.5|round | 2.1|round(0, 'ceil') | 2.9|round(method='floor') | none|int | yes|int
nothing | yes | no | nothing|default('x') | zzz|default('x') | zzz|d('y') | empty|default('e') | empty|default('e', true) | zzz|default | zzz|length | zzz|list | nothing|string | nothing|length | 5|length
code|tojson | mixed|tojson | d|tojson | d|tojson(indent=2) | mixed|tojson(indent=4) | []|tojson(indent=2) | {}|tojson(indent=2) | d|tojson(sort_keys=true) | d|tojson(separators=(',', ':')) | 'é'|tojson(ensure_ascii=true) | '😀'|tojson(ensure_ascii=true) | zzz|tojson | 1.0|tojson | none|tojson | (1, 2)|tojson | {1: 2, none: 3, true: 4}|tojson | '\\u2028\\x7f\\x01'|tojson
'a\\nb\\n\\nc'|indent | 'a\\nb'|indent(2, true) | 'a\\n\\nb'|indent(2, false, true) | 'a\\nb'|indent('> ') | code|escape | code|e | 'x'|safe | text|trim|upper|lower | ' x '|trim(' ') | 'xax'|trim('x')
n is odd | n is even | n is divisibleby 7 | n is divisibleby(2) | n is number | f is float | n is integer | yes is boolean | yes is integer | text is string | d is mapping | d is sequence | items is iterable | n is iterable | n is sequence | nothing is none | nothing is not none | zzz is defined | zzz is not defined | zzz is undefined | yes is true | no is false | 1 is true | 'a' is in items | 'q' is in(items) | n is eq 7 | n is ne(7) | n is gt 5 | 'abc' is lower | 'ABC' is upper | 'aB' is upper | range is callable | n is callable | nothing is sameas none | 'trim' is filter | n is string or f is string | n is defined and n > 3 | not n is defined | n is zzz
range(3)|list | range(1, 4)|list | range(5, 1, -2)|list | range(0)|list | dict(a=1, b='x') | dict(a=1)|tojson | namespace(a=1).a | dict({'a': 1}, b=2) | range(1, 10, 0)
code | word ~ code | 'tab\\tnew\\nline\\\\ \\x41\\u00e9\\101\\q' | "it's" | 'say "x"' | items[0] ~ items[-1] | messages[-1]['content'] | messages[-1].role == 'user' | (messages|length) - 1 | messages|length - 1 | messages[1:]|length | messages[1:][0].content|trim
raise_exception('no: ' ~ n) | strftime_now('%d %b %Y') | strftime_now('%Y-%m-%d %H:%M %A %B %% %y %j %e') | zzz ~ 'a' | zzz == zzz | zzz == none | zzz + 'a' | zzz < 1 | -zzz | zzz|trim | zzz|upper | [zzz]
items.append('x') | d.update({'a': 2}) | d.pop('a') | items.pop() | ''.__class__ | d.__class__ | text.__len__ | text|zzz
""".strip()

STATEMENTS = [
    "{% for x in items %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ x }};{% endfor %}",
    "{% for x in items %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% for x in items if x != 'a' %}{{ loop.index }}{{ x }}{% else %}none{% endfor %}",
    "{% for x in items if x == 'q' %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in [] %}{{ x }}{% else %}none{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }},{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}",
    "{% for c in word %}{{ c }}.{% endfor %}",
    "{% for x in zzz %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in nothing %}{{ x }}{% endfor %}",
    "{% for x in n %}{{ x }}{% endfor %}",
    "{% for a, b in [[1, 2], [3]] %}{{ a }}{% endfor %}",
    "{% for x in 1, 2, 3 %}{{ x }}{% endfor %}",
    "{% for x in numbers %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% if loop.index == 2 %}{% break %}{% endif %}{% endfor %}",
    "{% for x in numbers %}{% for y in items %}{{ loop.depth }}{{ x }}{{ y }} {% if y == 'a' %}{% break %}{% endif %}{% endfor %}{% endfor %}",
    "{% for x in numbers %}{{ loop.cycle('odd', 'even') }} {% endfor %}",
    "{% for x in [1, 1, 2, 2, 1] %}{% if loop.changed(x) %}{{ x }}{% endif %}{% endfor %}",
    "{% set x = 1 %}{% for y in numbers %}{% set x = x + y %}{{ x }} {% endfor %}{{ x }}",
    "{% set ns = namespace(x=0) %}{% for y in numbers %}{% set ns.x = ns.x + y %}{% endfor %}{{ ns.x }}",
    "{% set d.x = 1 %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set a = 1, 2 %}{{ a }}",
    "{% if no %}a{% elif n == 7 %}b{% else %}c{% endif %}",
    "{% if zzz %}a{% else %}b{% endif %}{% if not zzz %}c{% endif %}",
    "{% if yes %}{% set q = 5 %}{% endif %}{{ q }}",
    "{% set q %}x{{ n }}y{% endset %}[{{ q }}]{{ q|length }}",
    "{% set q | upper | trim %} x{{ n }}y {% endset %}[{{ q }}]",
    "{% macro m(a, b='B', c=none) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(1, c=3) }}{{ m(b=4, a=5) }}{{ m() }}",
    "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}",
    "{% set g = 3 %}{% macro m() %}{{ g }}{% set g2 = 1 %}{% endmacro %}{{ m() }}{% set g = 4 %}{{ m() }}{{ g2 }}",
    "{% macro fact(x) %}{% if x <= 1 %}1{% else %}{{ x * (fact(x - 1)|int) }}{% endif %}{% endmacro %}{{ fact(5) }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}in{{ n }}{% endcall %}",
    "{% macro m() %}<{{ caller(2) }}>{% endmacro %}{% call(x) m() %}in{{ x }}{% endcall %}",
    "{% macro m(a) %}{{ a }}{{ varargs }}{% endmacro %}{{ m(1, 2, 3) }}",
    "{% macro m(x) %}{% for i in range(x) %}{{ i }}{% endfor %}{% endmacro %}{{ m(3) ~ m(2) }}",
    "{% filter upper %}abc{{ word }}{% endfilter %}",
    "{% filter trim | upper %} abc {% endfilter %}",
    "{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% with %}{% set a = 1 %}{{ a }}{% endwith %}{{ a }}",
    "{% generation %}a{{ n }}{% set q = 1 %}{% endgeneration %}{{ q }}",
    "{% raw %}{{ n }}{% if %}{% endraw %}x",
    "a{# comment {{ n }} #}b",
    "a\n  {# comment #}\n  b",
    "  {% if yes %}\n  a\n  {% endif %}\nb\n",
    "  {%+ if yes %}\n  a\n  {%+ endif +%}\nb\n",
    "x  {%- if yes -%}  \n a \n {%- endif -%} \n y",
    "x {{- n -}}  y\n {{ n }}\nz",
    "\n{{ n }}\n\n",
    "{{ n }}\r\nb\r\n",
    "a {% if yes %}b{% endif %} c\n   {% if yes %}d{% endif %}\n",
    "{%- for m in messages -%}\n{{ m.role }}: {{ m.content }}\n{%- endfor -%}\n",
    "{%- for m in messages %}\n    {%- if loop.first and m['role'] == 'system' %}\n        {{- '[S]' + m['content'] }}\n    {%- elif m.role == 'user' %}\n        {{- '[U]' ~ m.content|trim }}\n    {%- else %}\n        {{- m }}\n    {%- endif %}\n{%- endfor %}",
    "{% if messages[0].role == 'system' %}{% set loop_messages = messages[1:] %}{% set sys = messages[0].content %}{% else %}{% set loop_messages = messages %}{% endif %}{{ sys }}{{ loop_messages|length }}",
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('alternate') }}{% endif %}{% endfor %}",
    "{%- set ns = namespace(multi=true, last=messages|length - 1) %}{%- for m in messages[::-1] %}{%- set i = (messages|length - 1) - loop.index0 %}{%- if ns.multi and m.role == 'user' %}{%- set ns.multi = false %}{%- set ns.last = i %}{%- endif %}{%- endfor %}{{ ns.last }}{{ ns.multi }}",
    "{% set x = {'a': {'b': [1, {'c': 2}]}} %}{{ x.a.b[1].c }}{{ x['a']['b'][0] }}",
    "{{ {'a': {}}|length }}{{ {'a': {'b': 1}}['a'] }}",
    "{{ '}}' }}{{ \"{%\" }}",
    "{{-1}}{{ -1 }}",
    "{% set x = 'a'\n  ~ 'b' %}{{ x }}",
    "{% if n %}",
    "{% endif %}",
    "{% for x in items %}",
    "{{ n",
    "{{ }}",
    "{{ n n }}",
    "{% zzz %}",
    "{{ (1 }}",
    "{{ 'a }}",
    "{# a",
    "{% include 'a' %}",
    "{% break %}",
    "{% macro m(a=1, b) %}{% endmacro %}",
    "{{ n | }}",
    "{{ a.b.c }}",
    "{{ 1 is defined is defined }}",
    "{{ [1, 2,] }}{{ {'a': 1,} }}{{ (1, 2,) }}",
    "{{ n if n > 3 else raise_exception('x') }}",
    "{{ 1 if n > 3 }}{{ 'A' ~ (2 if n < 3) }}",
    "{{ not n == 7 }}{{ not (n == 7) and yes }}",
    "{{ n in numbers or n == 7 }}{{ 3 not in numbers }}",
    "{{ text | replace('l', 'L') | trim }}{{ (text | trim)[0] }}{{ text.strip()[-1] }}",
    "{{ 'a' if 'x' in 'xyz' and not no else 'b' }}",
    "{{ messages | map(attribute='role') | unique | join(' ') }}",
    "{% set t = tools if tools is defined else none %}{{ t }}",
    "{{ tools }}{{ documents }}{{ add_generation_prompt }}",
    "{% if tools %}a{% else %}b{% endif %}{{ tools is none }}",
    "{{ (n, 'a')[1] }}{{ [[1, 2], [3]][1][0] }}",
    "{% for a in people %}{% for t in a.tags %}{{ t }}{% endfor %}{{ a.address['city'] }}{% endfor %}",
    "{{ {'role': 'x'}['role'] }}{{ ({'k': 'v'}).k }}",
    "{{ '\\n' }}|{{ \"\\n\\n\" }}|",
]


def snippets():
    values = [v.strip() for line in VALUES.splitlines() for v in line.split(" | ")]
    return ["{{ " + v + " }}" for v in values] + STATEMENTS


