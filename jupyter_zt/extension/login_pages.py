"""The broker's own pages around a login: it failed, it has ended, shall it end?"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from string import Template
from urllib.parse import urlsplit

__all__ = ["PAGE_POLICY", "form", "form_policy", "link", "page"]

PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --page: #f4f5f7; --card: #fff;
  --line: #d9dce1; --accent: #0b6e99; --on-accent: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #a9adb5; --page: #15171a;
  --card: #1f2226; --line: #363a40; --accent: #6cc4ec; --on-accent: #10212a; } }
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
  background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { box-sizing: border-box; width: min(27rem, 92vw); background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; padding: 2rem; }
h1 { font-size: 1.35rem; margin: 0 0 .5rem; }
p { margin: 0 0 1rem; color: var(--soft); }
.go { display: inline-block; font: inherit; text-decoration: none; cursor: pointer; border: 0;
  border-radius: .5rem; padding: .5rem 1rem; background: var(--accent); color: var(--on-accent); }
.go:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
</style>
</head>
<body><main>
<h1>$title</h1>
$body
</main></body>
</html>
""")


def page(title: str, paragraphs: list[str], action: str) -> str:
    """A page with a title, some text and one thing to do.

    Args:
        title: Plain text.
        paragraphs: Plain text; empty ones are left out.
        action: HTML of a link or form, from `link` or the caller.
    """
    text = "\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs if paragraph)
    return _PAGE.substitute(title=escape(title), body=f"{text}\n{action}")


def link(address: str, label: str) -> str:
    """HTML of a link that looks like a button."""
    return f'<a class="go" href="{escape(address)}">{escape(label)}</a>'


def form(address: str, fields: Mapping[str, str], label: str) -> str:
    """HTML of a form with hidden fields and one button."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    button = f'<button class="go" type="submit">{escape(label)}</button>'
    return f'<form method="post" action="{escape(address)}">{hidden}{button}</form>'


def form_policy(*addresses: str) -> str:
    """`PAGE_POLICY` for a page whose form leads to these addresses, and by redirects through them.

    Args:
        *addresses: Absolute; each is allowed with its whole origin.
    """
    origins = [f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, addresses)]
    return PAGE_POLICY.replace("form-action 'self'", " ".join(["form-action 'self'", *origins]))
