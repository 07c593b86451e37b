from __future__ import annotations

import base64
import json
import re
import time
from html.parser import HTMLParser
from typing import Any

import pytest

from jupyter_zt.extension.message_filter import MAX_CODE_BYTES, from_browser, from_kernel
from tests.extension.messages import display, message

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n...").decode()

# What an untrusted kernel may try to have shown as HTML. `1` stands for a call of the votes API.
ACTIVE_HTML = {
    "script": "<script>vote(1)</script>",
    "script_in_svg": "<svg><script>vote(1)</script></svg>",
    "image_onerror": "<img src=x onerror=vote(1)>",
    "image_remote": '<img src="https://evil.example/beacon.png">',
    "image_same_origin": '<img src="/zt/api/approvals">',
    "image_srcset": '<img srcset="https://evil.example/a.png 1x">',
    "image_svg_with_utf8_data": "<img src=\"data:image/svg+xml,<svg onload='vote(1)'/>\">",
    "svg_onload": "<svg onload=vote(1)></svg>",
    "svg_use_external": '<svg><use href="https://evil.example/a.svg#x"></use></svg>',
    "details_ontoggle": "<details open ontoggle=vote(1)><summary>x</summary></details>",
    "body_onload": "<body onload=vote(1)>",
    "iframe_srcdoc": '<iframe srcdoc="<script>parent.vote(1)</script>"></iframe>',
    "iframe_same_origin": '<iframe src="/lab"></iframe>',
    "object_data": '<object data="data:text/html,<script>vote(1)</script>"></object>',
    "embed": '<embed src="/files/evil.html">',
    "link_javascript": '<a href="javascript:vote(1)">x</a>',
    "link_javascript_with_tab": '<a href="java\tscript:vote(1)">x</a>',
    "link_javascript_entity": '<a href="&#106;avascript:vote(1)">x</a>',
    "link_data_html": '<a href="data:text/html,<script>vote(1)</script>">x</a>',
    "link_relative": '<a href="/logout">x</a>',
    "link_protocol_relative": '<a href="//evil.example">x</a>',
    "command_link": '<a data-commandlinker-command="zt:approve" data-commandlinker-args="{}">x</a>',
    "button_command": '<button data-commandlinker-command="zt:approve">x</button>',
    "form_post": '<form action="/zt/api/approvals/p_1/votes" method=post><input name=a></form>',
    "button_formaction": '<button formaction="javascript:vote(1)">x</button>',
    "meta_refresh": '<meta http-equiv=refresh content="0;url=https://evil.example">',
    "base_href": '<base href="https://evil.example/">',
    "stylesheet_link": '<link rel=stylesheet href="https://evil.example/x.css">',
    "style_element": "<style>#jp-main-dock-panel{display:none}</style>",
    "style_attribute_overlay": '<div style="position:fixed;inset:0;background:#fff">Approve?</div>',
    "style_attribute_url": '<p style="background:url(https://evil.example/x)">x</p>',
    "class_repaints": '<div class="jp-Dialog lm-Widget">Approve?</div>',
    "id_clobbers": '<a id="jupyter-config-data" name="document">x</a>',
    "math_href": '<math><mtext href="javascript:vote(1)">x</mtext></math>',
    "mutation_noscript": '<noscript><p title="</noscript><img src=x onerror=vote(1)>"></noscript>',
    "mutation_template": "<template><script>vote(1)</script></template>",
    "mutation_mglyph": "<math><mtext><table><mglyph><style><img src=x onerror=vote(1)></style>",
    "comment_breakout": "<!--><img src=x onerror=vote(1)>-->",
    "video_onerror": "<video><source onerror=vote(1)></video>",
    "marquee_onstart": "<marquee onstart=vote(1)>x</marquee>",
    "autofocus_onfocus": "<input autofocus onfocus=vote(1)>",
    "contenteditable_onblur": "<div contenteditable onblur=vote(1) autofocus>x</div>",
    "custom_element": "<x-y onclick=vote(1) is=z>x</x-y>",
    "anchor_ping": '<a href="https://ok.example" ping="https://evil.example">x</a>',
    "import_map": '<script type="importmap">{}</script>',
    "tex_href": r"$\href{javascript:vote(1)}{x}$",
    "tex_href_split_by_wbr": r"$\hr<wbr>ef{javascript:vote(1)}{x}$",
    "tex_style": r"\(\style{position:fixed}{x}\)",
    "tex_csname": r"$\csname href\endcsname{javascript:vote(1)}{x}$",
}

ACTIVE_MIMES = {
    "javascript": ("application/javascript", "vote(1)"),
    "text_javascript": ("text/javascript", "vote(1)"),
    "widget_view": ("application/vnd.jupyter.widget-view+json", {"model_id": "1"}),
    "bokeh": ("application/vnd.bokehjs_exec.v0+json", ""),
    "holoviews": ("application/vnd.holoviews_exec.v0+json", ""),
    "plotly": ("application/vnd.plotly.v1+json", {"data": []}),
    "vega": ("application/vnd.vegalite.v5+json", {"data": {"url": "https://evil.example"}}),
    "mermaid": ("text/vnd.mermaid", "graph TD; a-->b; click a href 'javascript:vote(1)'"),
    "pdf": ("application/pdf", PNG),
    "geojson": ("application/geo+json", {}),
    "framed_html_from_the_kernel": ("application/vnd.zt.html", "<script>vote(1)</script>"),
    "unknown_own_type": ("application/vnd.zt.approve+json", {}),
    "upper_case_html": ("TEXT/HTML", "<script>vote(1)</script>"),
    "html_with_parameter": ("text/html; charset=utf-8", "<script>vote(1)</script>"),
    "not_base64": ("image/png", '"><script>vote(1)</script>'),
}


INERT_TAGS = {
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "caption",
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
}


class Page(HTMLParser):
    """Every tag and attribute as a browser's parser sees them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def assert_inert(html: str) -> None:
    page = Page(html)
    assert set(page.tags) <= INERT_TAGS
    for tag, name, value in page.attributes:
        assert name in {"href", "rel", "target", "src", "alt", "title", "width", "height"} | {
            "colspan",
            "rowspan",
            "align",
            "span",
            "scope",
            "start",
        }
        if name == "src":
            assert tag == "img"
            assert re.match(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,", value)
        if name == "href":
            assert re.match(r"(https?|mailto):", value)
    assert not re.search(r"\\(href|style|csname|class|require|bbox)", html)


def shown(data: dict[str, Any]) -> dict[str, Any]:
    safe = from_kernel("iopub", display(data))
    assert safe is not None
    return safe["content"]["data"]


@pytest.mark.parametrize("html", ACTIVE_HTML.values(), ids=ACTIVE_HTML)
def test_html_of_a_kernel_is_inert_in_the_page_and_raw_only_for_the_frame(html: str) -> None:
    data = shown({"text/html": html, "text/plain": "x"})

    assert set(data) == {"text/html", "application/vnd.zt.html", "text/plain"}
    assert_inert(data["text/html"])
    assert data["application/vnd.zt.html"] == html


@pytest.mark.parametrize("html", ACTIVE_HTML.values(), ids=ACTIVE_HTML)
def test_html_inside_markdown_is_inert(html: str) -> None:
    data = shown({"text/markdown": f"# Title\n\n{html}\n\n[x](javascript:vote(1)) ![x](/lab)"})

    assert set(data) == {"text/html"}
    assert_inert(data["text/html"])
    assert "<h1>Title</h1>" in data["text/html"]


@pytest.mark.parametrize(("mime", "value"), ACTIVE_MIMES.values(), ids=ACTIVE_MIMES)
def test_a_type_that_is_not_known_to_be_safe_is_not_shown(mime: str, value: Any) -> None:
    assert shown({mime: value, "text/plain": "the object"}) == {"text/plain": "the object"}

    alone = shown({mime: value})
    assert list(alone) == ["text/plain"]
    assert "not shown" in alone["text/plain"]
    assert "vote" not in alone["text/plain"]


@pytest.mark.parametrize("mime", ["text/html", "text/plain", "text/markdown", "image/svg+xml"])
def test_an_entry_that_is_not_text_is_refused(mime: str) -> None:
    with pytest.raises(TypeError):
        from_kernel("iopub", display({mime: {"nested": "<script>"}}))


def test_svg_becomes_an_image_that_runs_nothing() -> None:
    svg = "<svg xmlns='http://www.w3.org/2000/svg' onload='vote(1)'><script>vote(1)</script></svg>"

    data = shown({"image/svg+xml": svg})

    assert set(data) == {"text/html", "application/vnd.zt.html"}
    assert Page(data["text/html"]).tags == ["img"]
    assert_inert(data["text/html"])
    encoded = re.search(r"base64,([^\"]+)", data["text/html"])
    assert encoded is not None
    assert base64.b64decode(encoded.group(1)).decode() == svg


def test_good_outputs_still_show() -> None:
    assert shown({"text/plain": "5"}) == {"text/plain": "5"}
    assert shown({"image/png": PNG + "\n"}) == {"image/png": PNG}
    assert shown({"text/latex": r"$\frac{1}{2}$"}) == {"text/latex": r"$\frac{1}{2}$"}
    assert shown({"application/json": {"a": [1, None]}}) == {"application/json": {"a": [1, None]}}
    result = {"v": "1", "connection": "warehouse", "rows": [["1"]]}
    assert shown({"application/vnd.zt.result+json": result}) == {
        "application/vnd.zt.result+json": result
    }


def test_a_table_keeps_its_structure_without_styles() -> None:
    html = "<style>td{color:red}</style><table border=1><tr><td colspan=2>5</td></tr></table>"

    cleaned = shown({"text/html": html})["text/html"]

    assert cleaned == '<table><tbody><tr><td colspan="2">5</td></tr></tbody></table>'


def test_markdown_keeps_formulas_tables_and_code() -> None:
    source = "Euler: $e^{i_1*\\pi*2} < 1$ and $$a_b*c*d_e$$\n\n|a|b|\n|-|-|\n|1|2|\n\n`$x_1*y*$`\n"

    html = shown({"text/markdown": source})["text/html"]

    assert "$e^{i_1*\\pi*2} &lt; 1$" in html
    assert "$$a_b*c*d_e$$" in html
    assert "<td>1</td>" in html
    assert "<code>$x_1*y*$</code>" in html
    for formula in (
        r"\(a_b*c*d_e\)",
        r"\[a_b*c*d_e\]",
        "\\begin{aligned}a_b*c*d_e\\\\\n*x*\\end{aligned}",
    ):
        assert formula in shown({"text/markdown": f"so {formula} *it* is"})["text/html"]


def test_markdown_can_not_smuggle_its_own_placeholders() -> None:
    html = shown({"text/markdown": "\ue0000\ue001 \ue0009\ue001 $x$"})["text/html"]

    assert html == "<p>0 9 $x$</p>\n"


def test_html_of_a_notebook_as_a_list_of_lines_is_one_text() -> None:
    assert shown({"text/plain": ["a\n", "b"]}) == {"text/plain": "a\nb"}


def test_metadata_buffers_and_unknown_fields_do_not_pass() -> None:
    raw = display({"text/plain": "x"}, transient={"display_id": "d", "evil": 1}, evil=1)
    raw |= {"metadata": {"isolated": True}, "buffers": [b"x"]}
    raw["content"]["metadata"] = {"text/html": {"isolated": True}}
    raw["header"]["evil"] = "x"

    safe = from_kernel("iopub", raw)

    assert safe is not None
    assert safe["metadata"] == {}
    assert safe["buffers"] == []
    assert "evil" not in safe["header"]
    assert safe["content"] == {
        "data": {"text/plain": "x"},
        "metadata": {},
        "transient": {"display_id": "d"},
    }


def test_an_entry_over_the_cap_is_left_out_and_says_so() -> None:
    safe = from_kernel("iopub", display({"text/plain": "x" * 101}), max_output_bytes=100)

    assert safe is not None
    assert "too large" in safe["content"]["data"]["text/plain"]


def nested(depth: int) -> Any:
    value: Any = "x"
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def test_json_too_deep_for_a_notebook_to_be_saved_is_left_out() -> None:
    for mime in ("application/json", "application/vnd.zt.result+json"):
        assert mime in shown({mime: nested(49)})
        data = shown({mime: nested(900)})
        assert list(data) == ["text/plain"]
        assert "too large" in data["text/plain"]


@pytest.mark.parametrize(
    ("mime", "value"),
    [
        ("application/json", ["x"] * 60_000),
        ("application/vnd.zt.result+json", {"rows": [["x"]] * 60_000}),
        ("text/html", "<b>" * 300_000),
        ("text/html", ["<b>"] * 300_000),
        ("image/svg+xml", "<g>" * 300_000),
        ("text/markdown", "*a " * 30_000),
        ("text/markdown", ["*a "] * 30_000),
        ("text/latex", "$x$ " * 30_000),
    ],
)
def test_what_would_stop_the_server_or_the_page_is_left_out(mime: str, value: Any) -> None:
    assert "too large" in shown({mime: value})["text/plain"]


@pytest.mark.parametrize(
    "opening", ["\\(", "\\[", "$$ \\$", "$a ", "\\begin{a}", "`a``b", "[", "> ", "*a **b "]
)
def test_markdown_that_never_closes_is_read_in_time(opening: str) -> None:
    began = time.process_time()
    assert "text/html" in shown({"text/markdown": opening * (60_000 // len(opening))})
    assert time.process_time() - began < 3


def test_a_stream_over_the_cap_is_cut() -> None:
    raw = message("stream", {"name": "stdout", "text": "x" * 500})

    safe = from_kernel("iopub", raw, max_output_bytes=100)

    assert safe is not None
    assert safe["content"]["text"].startswith("x" * 100 + "\n[cut")


@pytest.mark.parametrize(
    ("channel", "msg_type"),
    [
        ("iopub", "comm_open"),
        ("iopub", "comm_msg"),
        ("iopub", "comm_close"),
        ("iopub", "debug_event"),
        ("iopub", "iopub_welcome"),
        ("iopub", "execute_reply"),
        ("shell", "display_data"),
        ("shell", "create_subshell_reply"),
        ("control", "debug_reply"),
        ("control", "create_subshell_reply"),
        ("stdin", "display_data"),
        ("iopub", "made_up"),
        ("made_up", "status"),
    ],
)
def test_messages_that_no_page_needs_are_dropped(channel: str, msg_type: str) -> None:
    assert from_kernel(channel, message(msg_type, {"data": {}, "comm_id": "1"})) is None


def test_an_execute_reply_neither_writes_cells_nor_carries_expressions() -> None:
    payload = [{"source": "set_next_input", "text": "zt.approve()", "replace": True}]
    expressions = {"x": {"status": "ok", "data": {"text/html": "<script>"}, "metadata": {}}}
    content = {"status": "ok", "execution_count": 3, "payload": payload}
    content["user_expressions"] = expressions

    safe = from_kernel("shell", message("execute_reply", content))

    assert safe is not None
    assert safe["content"] == {
        "status": "ok",
        "execution_count": 3,
        "payload": [],
        "user_expressions": {},
    }


def test_an_error_reply_keeps_its_text() -> None:
    content = {"status": "error", "ename": "E", "evalue": "v", "traceback": ["<script>"], "x": 1}

    safe = from_kernel("shell", message("execute_reply", content))

    assert safe is not None
    assert safe["content"] == {
        "status": "error",
        "execution_count": None,
        "ename": "E",
        "evalue": "v",
        "traceback": ["<script>"],
    }


def test_inspection_is_text_only() -> None:
    content = {
        "status": "ok",
        "found": True,
        "data": {"text/html": "<script>", "text/plain": "doc"},
        "metadata": {"x": 1},
    }

    safe = from_kernel("shell", message("inspect_reply", content))

    assert safe is not None
    assert safe["content"]["data"] == {"text/plain": "doc"}
    assert safe["content"]["metadata"] == {}


def test_kernel_info_names_no_program_and_shows_no_banner() -> None:
    content = {
        "status": "ok",
        "banner": "<img src=x onerror=vote(1)>",
        "help_links": [{"text": "Approve", "url": "javascript:vote(1)"}],
        "debugger": True,
        "supported_features": ["kernel subshells", "debugger"],
        "language_info": {
            "name": "evil",
            "version": "3.11.2",
            "nbconvert_exporter": "evil.module.Exporter",
            "pygments_lexer": "evil",
            "codemirror_mode": "evil",
        },
    }

    for channel in ("shell", "control"):
        safe = from_kernel(channel, message("kernel_info_reply", content))
        assert safe is not None
        assert "evil" not in json.dumps(safe)
        assert "vote" not in json.dumps(safe)
        assert safe["content"]["banner"] == ""
        assert safe["content"]["help_links"] == []
        assert safe["content"]["debugger"] is False
        assert safe["content"]["supported_features"] == []
        assert safe["content"]["language_info"]["nbconvert_exporter"] == "python"
        assert safe["content"]["language_info"]["version"] == "3.11.2"


def test_completions_carry_no_metadata() -> None:
    content = {
        "status": "ok",
        "matches": ["a", "ab"],
        "cursor_start": 0,
        "cursor_end": 1,
        "metadata": {"_jupyter_types_experimental": [{"text": "<script>"}]},
    }

    safe = from_kernel("shell", message("complete_reply", content))

    assert safe is not None
    assert safe["content"]["matches"] == ["a", "ab"]
    assert safe["content"]["metadata"] == {}


def test_a_kernel_can_not_say_that_it_is_restarting() -> None:
    with pytest.raises(ValueError, match="execution state"):
        from_kernel("iopub", message("status", {"execution_state": "restarting"}))


def test_history_is_text() -> None:
    content = {"status": "ok", "history": [[1, 2, "x"], [1, 3, ["y", None]]]}
    safe = from_kernel("shell", message("history_reply", content))
    assert safe is not None
    assert safe["content"]["history"] == content["history"]

    with pytest.raises(TypeError):
        from_kernel("shell", message("history_reply", {"history": [[1, 2, {"html": "x"}]]}))


# ------------------------------------------------------------------ from the page


def asked(**content: Any) -> dict[str, Any]:
    return message("execute_request", {"code": "1", "silent": False, **content})


def test_user_expressions_and_subshells_do_not_reach_the_kernel() -> None:
    raw = asked(user_expressions={"x": "steal()"}, evil=1)
    raw["header"]["subshell_id"] = "1"
    raw["metadata"] = {"cellId": "abc-1", "deletedCells": ["x"], "trusted": True}

    safe = from_browser("shell", raw)

    assert safe is not None
    assert safe["content"] == {
        "code": "1",
        "silent": False,
        "store_history": True,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
    }
    assert safe["metadata"] == {"cellId": "abc-1"}
    assert "subshell_id" not in safe["header"]


def test_a_cell_id_of_no_valid_form_is_left_out() -> None:
    raw = asked()
    raw["metadata"] = {"cellId": "../../x"}

    safe = from_browser("shell", raw)

    assert safe is not None
    assert safe["metadata"] == {}


@pytest.mark.parametrize(
    ("channel", "msg_type"),
    [
        ("control", "execute_request"),
        ("stdin", "execute_request"),
        ("iopub", "execute_request"),
        ("control", "debug_request"),
        ("shell", "debug_request"),
        ("control", "create_subshell_request"),
        ("control", "delete_subshell_request"),
        ("control", "list_subshell_request"),
        ("shell", "comm_open"),
        ("shell", "comm_msg"),
        ("shell", "comm_close"),
        ("control", "shutdown_request"),
        ("shell", "shutdown_request"),
        ("shell", "apply_request"),
    ],
)
def test_a_page_has_no_other_way_to_run_code(channel: str, msg_type: str) -> None:
    assert from_browser(channel, message(msg_type, {"code": "1", "comm_id": "1"})) is None


def test_code_that_could_not_be_recorded_is_not_run() -> None:
    with pytest.raises(ValueError, match="larger"):
        from_browser("shell", asked(code="é" * (MAX_CODE_BYTES // 2 + 1)))


@pytest.mark.parametrize("code", [None, 5, ["1"], {"x": 1}])
def test_code_that_is_not_text_is_refused(code: Any) -> None:
    with pytest.raises(TypeError):
        from_browser("shell", asked(code=code))


@pytest.mark.parametrize(
    ("channel", "msg_type", "content"),
    [
        ("shell", "kernel_info_request", {}),
        ("shell", "comm_info_request", {"target_name": "x"}),
        ("shell", "complete_request", {"code": "a.", "cursor_pos": 2}),
        ("shell", "inspect_request", {"code": "a", "cursor_pos": 1, "detail_level": 1}),
        ("shell", "is_complete_request", {"code": "a"}),
        ("shell", "history_request", {"hist_access_type": "tail", "n": 10, "raw": True}),
        ("control", "interrupt_request", {}),
        ("stdin", "input_reply", {"status": "ok", "value": "x"}),
    ],
)
def test_what_a_page_needs_passes(channel: str, msg_type: str, content: dict[str, Any]) -> None:
    safe = from_browser(channel, message(msg_type, content))

    assert safe is not None
    assert safe["header"]["msg_type"] == msg_type
