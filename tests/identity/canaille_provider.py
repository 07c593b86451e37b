"""Canaille, a second independent OpenID provider, with the people of the tests.

    python canaille_provider.py CLIENT_SECRET REDIRECT_URI POST_LOGOUT_REDIRECT_URI

Prints one JSON line when it listens. Then each JSON line on its input changes a person, and is
answered by one when that is done: ``{"user": "analyst", "groups": ["reviewers"]}`` or
``{"user": "analyst", "locked": true}``. A process of its own: canaille switches checks for TLS off,
for the whole process, by the environment.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import threading
from typing import Any

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from joserfc.jwk import JWKRegistry
from pytest_iam import Server

GROUPS = {"analyst": ["analysts"], "analyst2": ["analysts"], "reviewer": ["reviewers"]}


def configuration(port: int) -> dict[str, Any]:
    key = JWKRegistry.generate_key("RSA", 2048)
    key.ensure_kid()
    return {
        "TESTING": True,
        "ENV_FILE": None,
        "SECRET_KEY": "only for tests",
        "WTF_CSRF_ENABLED": False,
        "PREFERRED_URL_SCHEME": "http",
        "SERVER_NAME": f"localhost:{port}",
        "CANAILLE": {
            "DATABASE": "memory",
            "JAVASCRIPT": False,
            "ACL": {"DEFAULT": {"PERMISSIONS": ["use_oidc"]}},
            "LOGGING": {"version": 1, "disable_existing_loggers": True},
        },
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)]},
    }


def populate(backend: Backend, secret: str, redirect_uri: str, after_logout: str) -> None:
    client = models.Client(
        client_id="jupyter-zt",
        client_name="Jupyter ZT",
        client_secret=secret,
        client_uri="http://127.0.0.1",
        redirect_uris=[redirect_uri],
        post_logout_redirect_uris=[after_logout],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        scope=["openid", "profile", "groups"],
        token_endpoint_auth_method="client_secret_basic",
    )
    backend.save(client)
    client.audience = [client]
    backend.save(client)
    for name in GROUPS:
        backend.save(
            models.User(
                user_name=name,
                formatted_name=name.capitalize(),
                family_name=name,
                emails=[f"{name}@example.org"],
                password="any",
            )
        )
    for name, groups in GROUPS.items():
        put_into_groups(backend, name, groups)


def put_into_groups(backend: Backend, name: str, groups: list[str]) -> None:
    user = backend.get(models.User, user_name=name)
    for group in backend.query(models.Group):
        if user in group.members:
            group.members = [member for member in group.members if member != user]
            backend.save(group)
    for group_name in groups:
        group = backend.get(models.Group, display_name=group_name)
        if group is None:
            group = models.Group(display_name=group_name, members=[])
        group.members = [*group.members, user]
        backend.save(group)
    backend.reload(user)


def change(backend: Backend, wanted: dict[str, Any]) -> None:
    if "groups" in wanted:
        put_into_groups(backend, wanted["user"], wanted["groups"])
    if wanted.get("locked"):
        user = backend.get(models.User, user_name=wanted["user"])
        user.lock_date = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        backend.save(user)


def main(port: int, *client: str) -> None:
    app = create_app(config=configuration(port))
    server = Server(app, port, Backend.instance)
    threading.Thread(target=server.httpd.serve_forever, daemon=True).start()
    with app.app_context(), server.backend.session():
        populate(server.backend, *client)
        print(json.dumps({"issuer": f"http://localhost:{port}"}), flush=True)
        for line in sys.stdin:
            change(server.backend, json.loads(line))
            print("{}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
