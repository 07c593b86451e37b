"""docs/identity.md: each snippet is loaded as a server and a gateway load it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from traitlets.config import Config

from jupyter_zt.client import acting
from jupyter_zt.extension.app import ZT
from jupyter_zt.extension.identity_provider import ZTIdentityProvider
from jupyter_zt.gateway.config import Configuration
from jupyter_zt.gateway.identity_settings import IdentitySettings
from jupyter_zt.identity import TokenVerifier, human_from_claims, service_assertions
from jupyter_zt.identity.demo_accounts import DemoConfig
from jupyter_zt.identity.service_client import with_own_key
from tests.identity import world

DOCUMENT = Path(__file__).parents[2] / "docs/identity.md"
PROVIDERS = ["Any OpenID provider", "Keycloak", "Entra ID", "Okta", "Google"]

# What each provider says of somebody, and which roles that is.
PEOPLE: dict[str, list[tuple[dict[str, Any], set[str]]]] = {
    "Any OpenID provider": [({"groups": ["data-stewards", "x"]}, {"reviewer"})],
    "Keycloak": [
        ({"groups": ["/data-science"]}, {"analyst"}),
        ({"groups": ["/sales/platform", "platform"]}, set()),
    ],
    "Entra ID": [
        ({"oid": "o", "roles": ["analyst", "auditor"]}, {"analyst", "auditor"}),
        ({"oid": "o", "groups": ["admin"], "email": "ada@example.org"}, set()),
    ],
    "Okta": [({"groups": ["zt-admins"]}, {"admin"})],
    "Google": [
        (
            {"hd": "example.org", "email": "ada@example.org", "email_verified": True},
            {"analyst", "admin"},
        ),
        ({"hd": "example.org", "email": "ada@example.org"}, {"analyst"}),
        ({"hd": "elsewhere.org", "email": "ada@example.org", "email_verified": True}, set()),
        ({"email": "ada@example.org", "email_verified": True}, set()),
    ],
}


def snippets(section: str, language: str) -> list[str]:
    text = DOCUMENT.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def server_configuration(code: str) -> Config:
    """What a Jupyter server reads from this `jupyter_server_config.py`."""
    c = Config()
    exec(compile(ast.parse(code), "jupyter_server_config.py", "exec"), {"c": c})
    return c


def gateway_configuration(text: str, folder: Path) -> IdentitySettings:
    (folder / "gateway.yaml").write_text(text)
    return Configuration.load(folder).values.identity


def test_every_snippet_of_the_document_is_of_a_known_kind() -> None:
    languages = re.findall(r"^```(\w+)$", DOCUMENT.read_text(), re.MULTILINE)
    assert set(languages) <= {"python", "yaml", "json", "sh"}
    assert languages.count("python") >= len(PROVIDERS)
    for text in re.findall(r"^```json\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE):
        json.loads(text)
    for text in re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE):
        assert yaml.safe_load(text).keys() <= {
            "identity",
            "broker",
            "connections",
            "roles",
            "services",
        }


@pytest.mark.parametrize("provider", PROVIDERS)
def test_server_and_gateway_are_set_up_for_the_same_provider(provider: str, tmp_path: Path) -> None:
    [code] = snippets(provider, "python")
    gateway = gateway_configuration(snippets(provider, "yaml")[0], tmp_path)
    c = server_configuration(code)

    # Misspelt settings are only warned of when a server starts.
    assert set(c.ZTIdentityProvider) <= set(ZTIdentityProvider.class_trait_names(config=True))
    assert set(c.ZT) <= set(ZT.class_trait_names(config=True))
    secret = tmp_path / "client_secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    assert c.ZTIdentityProvider.client_secret_file.startswith("/etc/jupyter-zt/")
    c.ZTIdentityProvider.client_secret_file = str(secret)
    server = ZTIdentityProvider(config=c)
    server.validate_security(None)

    assert server.issuer == gateway.issuer
    assert server.client_id in gateway.audiences
    assert server.algorithms == gateway.algorithms
    assert (server.groups_claim, server.subject_claim) == (
        gateway.groups_claim,
        gateway.subject_claim,
    )
    assert server.roles == gateway.roles
    assert server.relying_party.redirect_uri == "https://jupyter.example.org/zt/login/callback"


@pytest.mark.parametrize(
    ("provider", "said", "roles"),
    [(provider, said, roles) for provider in PROVIDERS for said, roles in PEOPLE[provider]],
)
async def test_what_a_provider_says_of_somebody_gives_the_roles_that_the_document_means(
    provider: str, said: dict[str, Any], roles: set[str], tmp_path: Path, forger: world.Forger
) -> None:
    settings = gateway_configuration(snippets(provider, "yaml")[0], tmp_path)
    async with httpx.AsyncClient() as http:
        verifier = TokenVerifier(
            forger.issuer,
            settings.accepted_audiences,
            settings.algorithms,
            http,
            groups_claim=settings.groups_claim,
            subject_claim=settings.subject_claim,
        )
        token = forger.sign(aud=settings.audiences[0], **{"groups": None, **said})
        human = human_from_claims(await verifier.verify(token), settings.roles)
    assert human.roles == roles


def test_role_map_that_is_explained_is_one(tmp_path: Path) -> None:
    complete, roles = snippets("Any OpenID provider", "yaml")
    document = yaml.safe_load(complete)
    document["identity"]["roles"] = yaml.safe_load(roles)["roles"]
    loaded = gateway_configuration(yaml.safe_dump(document), tmp_path)
    assert loaded.roles["analyst"] == ["data-science", {"hd": "example.org"}]


def test_addresses_of_the_keycloak_clients_are_those_of_the_server() -> None:
    web, command_line = (json.loads(text) for text in snippets("Keycloak", "json"))
    attributes = web["attributes"]
    assert web["redirectUris"] == ["https://jupyter.example.org/zt/login/callback"]
    assert attributes["backchannel.logout.url"].endswith("/zt/backchannel-logout")
    assert attributes["post.logout.redirect.uris"].endswith("/zt/logged-out")
    assert command_line["publicClient"]


def test_demo_provider_takes_its_configuration() -> None:
    [text] = snippets("The demo provider", "json")
    assert DemoConfig.from_json(json.loads(text)).port == 8410


@pytest.fixture
def service_keys(tmp_path: Path) -> Path:
    """The folder in which the document's commands have made a service's keys."""
    make = snippets("Services", "sh")[0]
    subprocess.run(["sh", "-euc", make], cwd=tmp_path, check=True)
    assert (tmp_path / "nightly.key").stat().st_mode & 0o077 == 0
    return tmp_path


async def test_services_are_made_and_registered_as_the_document_says(
    service_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path = service_keys
    _, run, run_in_ci = snippets("Services", "sh")
    (tmp_path / "gateway.yaml").write_text(snippets("Services", "yaml")[0])
    services = Configuration.load(tmp_path).values.services
    origins = ["https://zt.example.org"]
    async with httpx.AsyncClient() as http:
        found = {
            name: one.registration(name, tmp_path, origins, http) for name, one in services.items()
        }
    # The key that was made is the one that is believed.
    shown = with_own_key(origins[0], "nightly", (tmp_path / "nightly.key").read_text).show()
    own = found["nightly"].own
    assert own is not None
    claims, _ = await own.open(shown["client_assertion"], service_assertions.OWN)
    assert claims["sub"] == "service:nightly"
    # GitHub's claims (its documentation, "Understanding the OIDC token").
    trust = found["reports"].trust
    assert trust is not None
    assert trust.means("repo:example/reports:ref:refs/heads/main")
    assert not trust.means("repo:example/reports:pull_request")
    assert services["reports"].issuer is not None
    assert f"audience={services['reports'].issuer.audience}" in run_in_ci
    # What both runs export is what a process acts by.
    for text, name in ((run, "nightly"), (run_in_ci, "reports")):
        exported = dict(re.findall(r"^export (\w+)=(.*)$", text, re.MULTILINE))
        for variable in (acting.KEY_VARIABLE, acting.ASSERTION_VARIABLE):
            monkeypatch.delenv(variable, raising=False)
        for variable, value in exported.items():
            monkeypatch.setenv(variable, value)
        client = acting.acting().client
        assert (client.gateway, client.id) == (origins[0], f"service:{name}")


def test_steps_that_run_a_service_are_shell() -> None:
    for text in snippets("Services", "sh"):
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)
