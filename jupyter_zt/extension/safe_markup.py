r"""Markup of an untrusted kernel, made inert.

The reader's page shows what comes out of here with the reader's cookies, so nothing may run, fetch,
navigate on its own or repaint the page. Three forms are made:

- HTML becomes a cleaned fragment: a fixed set of tags, no class, id, style or data attribute
  (JupyterLab runs a command on a click at ``data-commandlinker-command``), images from ``data:``
  only.
- SVG becomes an ``<img>``: a browser runs no script and fetches nothing for an image (SVG 2,
  section 2.7, secure static mode).
- Markdown is rendered here, without raw HTML, with its formulas left for the page's typesetter.

Formulas are typeset by the page wherever they stand, so TeX commands that make links, styles or
other commands are broken up, visibly, in all three.
"""

from __future__ import annotations

import base64
import re
from html import escape
from typing import Final

import nh3
from markdown_it import MarkdownIt

from jupyter_zt.extension.formulas import formula_spans

__all__ = ["clean_html", "inert_tex", "markdown_to_html", "svg_to_html"]

# `wbr` is left out: MathJax joins the text around it, so `\hr<wbr>ef` would be one command.
_TAGS: Final = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "center",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "tt",
        "u",
        "ul",
        "var",
    ]
)
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "col": {"span"},
    "colgroup": {"span"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align", "scope"},
}
_DROPPED_WITH_CONTENT: Final = frozenset(
    [
        "applet",
        "audio",
        "base",
        "canvas",
        "embed",
        "form",
        "frame",
        "frameset",
        "head",
        "iframe",
        "link",
        "math",
        "meta",
        "noembed",
        "noframes",
        "noscript",
        "object",
        "script",
        "select",
        "style",
        "svg",
        "template",
        "textarea",
        "title",
        "video",
        "xmp",
    ]
)
_IMAGE_SOURCE: Final = re.compile(
    r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*\Z"
)
_LINK_TARGET: Final = re.compile(r"(?:https?|mailto):", re.IGNORECASE)

# Commands that make a link, a style, an attribute or another command.
_TEX_COMMAND: Final = re.compile(
    r"\\(?=(?:href|url|class|cssId|style|data|require|csname|bbox|mmlToken|enclose|includegraphics|texttip|mathtip"
    r"|action|toggle|def|gdef|edef|let|futurelet|newcommand|renewcommand|providecommand|newenvironment"
    r"|renewenvironment|DeclareMathOperator|Newextarrow|html[A-Za-z]*)(?![A-Za-z]))",
    re.IGNORECASE,
)
_WORD_JOINER: Final = "\u2060"

_CODE: Final = re.compile(r"(?P<fence>`+|~~~+).+?(?P=fence)", re.DOTALL)
_PLACEHOLDER: Final = re.compile("\ue000(\\d+)\ue001")

_markdown: Final = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _keep_attribute(tag: str, name: str, value: str) -> str | None:
    """An attribute's value as it may stand, or None to drop it."""
    if tag == "img" and name == "src":
        return value if _IMAGE_SOURCE.match(value) else None
    if tag == "a" and name == "href":
        return value if _LINK_TARGET.match(value) else None
    return value


_cleaner: Final = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_DROPPED_WITH_CONTENT,
    attributes=_ATTRIBUTES,
    attribute_filter=_keep_attribute,
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
    url_schemes={"http", "https", "mailto", "data"},
    url_relative="deny",
)


def inert_tex(text: str) -> str:
    r"""Text in which no TeX command makes a link, a style or another command.

    A word joiner after the backslash makes ``\href`` an unknown command, which the typesetter shows
    in red.
    """
    return _TEX_COMMAND.sub("\\\\" + _WORD_JOINER, text)


def clean_html(html: str) -> str:
    """An inert fragment with the same text and structure."""
    return inert_tex(_cleaner.clean(html))


def svg_to_html(svg: str) -> str:
    """An ``<img>`` that shows the drawing."""
    encoded = base64.b64encode(svg.encode("utf-8", "replace")).decode("ascii")
    return f'<img src="data:image/svg+xml;base64,{encoded}" alt="">'


def markdown_to_html(markdown: str) -> str:
    """Markdown as an inert fragment: raw HTML shows as text, formulas keep their delimiters."""
    formulas: list[str] = []

    def put_aside(text: str) -> str:
        pieces = []
        position = 0
        for start, end in formula_spans(text):
            pieces += [text[position:start], f"\ue000{len(formulas)}\ue001"]
            formulas.append(text[start:end])
            position = end
        return "".join([*pieces, text[position:]])

    # Code spans and fences hold no formulas; everything between them may.
    source = markdown.replace("\ue000", "").replace("\ue001", "")
    pieces: list[str] = []
    position = 0
    for code in _CODE.finditer(source):
        pieces += [put_aside(source[position : code.start()]), code.group(0)]
        position = code.end()
    pieces.append(put_aside(source[position:]))

    rendered = _markdown.render("".join(pieces))
    restored = _PLACEHOLDER.sub(
        lambda match: escape(formulas[int(match.group(1))], quote=False), rendered
    )
    return clean_html(restored)
