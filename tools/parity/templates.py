"""Writes what transformers makes of chat templates, for Outcrop's tests to be compared with:

    format/chattemplate/jinja/testdata/language.json   snippets of the language (jinja_cases.py)

    pip install transformers==5.23.0 jinja2==3.1.6
    python tools/parity/templates.py
"""

import datetime
import json
import pathlib

from jinja_cases import VARIABLES, snippets
from transformers.utils import chat_template_utils

ROOT = pathlib.Path(__file__).resolve().parents[2] / "format/chattemplate"


class Today(datetime.datetime):
    """The date that Outcrop tells templates, which have no clock there."""

    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


def render(template, messages, **variables):
    try:
        rendered, _ = chat_template_utils.render_jinja_template([messages], chat_template=template, **variables)
        return {"want": rendered[0]}
    except Exception as e:  # whatever Python raises
        return {"error": f"{type(e).__name__}: {e}"}


def language():
    variables = {k: v for k, v in VARIABLES.items() if k != "messages"}
    cases = [{"template": t, **render(t, VARIABLES["messages"], **variables)} for t in snippets()]
    return {"variables": VARIABLES, "cases": cases}


def write(path, value):
    (ROOT / path).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


chat_template_utils.datetime = Today
write("jinja/testdata/language.json", language())
