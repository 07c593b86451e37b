"""The demo provider's pages: choose an account, enter a device's code, and plain messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from string import Template
from urllib.parse import urlsplit

from jupyter_zt.identity.demo_accounts import Account

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --page: #f4f5f7; --card: #fff;
  --line: #d9dce1; --accent: #0b6e99; --warn: #7a4a00; --warn-page: #fff3d6; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #a9adb5; --page: #15171a;
  --card: #1f2226; --line: #363a40; --accent: #6cc4ec; --warn: #ffd48a; --warn-page: #3a2d12; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 27rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; padding: 2rem; }
h1 { font-size: 1.35rem; margin: 0 0 .25rem; }
p { margin: 0 0 1rem; color: var(--soft); }
p.demo { color: var(--warn); background: var(--warn-page); border-radius: .5rem;
  padding: .6rem .8rem; }
ul { list-style: none; margin: 0 0 1rem; padding: 0; display: grid; gap: .5rem; }
button { font: inherit; color: inherit; cursor: pointer; border: 1px solid var(--line);
  border-radius: .5rem; background: transparent; }
button.account { width: 100%; text-align: left; padding: .6rem .9rem; }
button.account strong { color: var(--accent); }
button.account span { display: block; color: var(--soft); font-size: .875rem; }
button.cancel, button.go { padding: .4rem .9rem; }
input.code { font: 1.25rem/1.5 ui-monospace, monospace; letter-spacing: .15em; width: 100%;
  padding: .4rem .8rem; margin: .25rem 0 1rem; color: inherit; background: transparent;
  border: 1px solid var(--line); border-radius: .5rem; text-transform: uppercase; }
strong.code { font: 1.25rem/1.5 ui-monospace, monospace; letter-spacing: .15em; color: var(--ink); }
button:hover { border-color: var(--accent); }
button:focus-visible, input:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>$title</title>
<style nonce="$nonce">$style</style>
</head>
<body><main>
$body
</main></body>
</html>
""")

_CHOICE = Template("""<li><button class="account" name="account" value="$name" type="submit">
<strong>$name</strong> <span>$does</span></button></li>""")


_DEMO = """<p class="demo" role="note">This is a demo identity provider. Its people are made up,
and anybody on this machine can be any of them: there are no passwords. Never use it for real
data.</p>"""


def choose_account(
    parameters: Iterable[tuple[str, str]], accounts: Sequence[Account], client: str, *, nonce: str
) -> str:
    """The login page.

    Args:
        parameters: Of the authorization request, carried along.
        accounts: Whom to offer.
        client: Who asks.
        nonce: Of the page's style, for its Content-Security-Policy.
    """
    body = f"""<h1>Who are you today?</h1>
<p><strong>{escape(client)}</strong> asks you to log in.</p>
{_DEMO}
{_choices("/authorize", parameters, accounts)}"""
    return _PAGE.substitute(title="Log in (demo)", nonce=nonce, style=_STYLE, body=body)


def enter_code(*, wrong: bool, nonce: str) -> str:
    """Where a person types the code that their command line shows.

    Args:
        wrong: Whether they have typed one that is not, or no longer, known.
        nonce: Of the page's style, for its Content-Security-Policy.
    """
    problem = '<p role="alert">This code is not known, or it is too old.</p>\n' if wrong else ""
    body = f"""<h1>Log in a command line</h1>
{problem}{_DEMO}
<form method="get" action="/device">
<label for="code">Code that your command line shows</label>
<input class="code" id="code" name="user_code" autocomplete="off" spellcheck="false" required
autofocus>
<button class="go" type="submit">Continue</button>
</form>"""
    return _PAGE.substitute(title="Log in (demo)", nonce=nonce, style=_STYLE, body=body)


def choose_for_device(
    user_code: str, accounts: Sequence[Account], client: str, *, nonce: str
) -> str:
    """The login page for a command line. The person compares the code (RFC 8628, section 5.4).

    Args:
        user_code: Of this login.
        accounts: Whom to offer.
        client: Who asks.
        nonce: Of the page's style, for its Content-Security-Policy.
    """
    body = f"""<h1>Who are you today?</h1>
<p><strong>{escape(client)}</strong> asks you to log in. Go on only if your own command line shows
this code:</p>
<p><strong class="code">{escape(user_code)}</strong></p>
{_DEMO}
{_choices("/device", [("user_code", user_code)], accounts)}"""
    return _PAGE.substitute(title="Log in (demo)", nonce=nonce, style=_STYLE, body=body)


def _choices(
    action: str, parameters: Iterable[tuple[str, str]], accounts: Sequence[Account]
) -> str:
    hidden = "\n".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in parameters
    )
    choices = "\n".join(
        _CHOICE.substitute(name=escape(account.name), does=escape(account.does))
        for account in accounts
    )
    return f"""<form method="post" action="{action}">
{hidden}
<ul aria-label="Accounts">
{choices}
</ul>
<button class="cancel" name="account" value="" type="submit">Cancel</button>
</form>"""


def message(title: str, text: str, *, nonce: str) -> str:
    """A page that only says something."""
    body = f"<h1>{escape(title)}</h1>\n<p>{escape(text)}</p>"
    return _PAGE.substitute(title=escape(title), nonce=nonce, style=_STYLE, body=body)


def security_policy(nonce: str, redirect_uri: str = "") -> str:
    """Content-Security-Policy: one style, one form, and where the form's answer leads."""
    target = urlsplit(redirect_uri)
    origin = f" {target.scheme}://{target.netloc}" if target.netloc else ""
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'{origin}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
