"""Services at the token endpoint: forged, stolen, replayed; and asking for what only people do."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity import GatewayAuth, ProofKey
from jupyter_zt.identity.exchange import CLIENT_CREDENTIALS, ID_TOKEN, TOKEN_EXCHANGE
from jupyter_zt.identity.service_assertions import ASSERTION_TYPE, JWT_BEARER
from jupyter_zt.identity.service_client import ServiceClient, with_own_key
from tests.fixtures_gateway import Gateway, Session, running_gateway
from tests.fixtures_postgres import PostgresServer
from tests.identity import world

READ = "SELECT id, city FROM customers ORDER BY id LIMIT 3"
WRITE = "UPDATE customers SET city = city WHERE id = 33"
RULE = """
@id("nightly-explains-nothing")
@code("not_for_services")
@reason("No service explains.")
forbid (principal, action == ZT::Action::"explain", resource)
when { principal has service && principal.service == "nightly" };
"""
SUBJECT = "repo:example/reports:ref:refs/heads/main"


@dataclass
class Place:
    """A gateway with services, and the issuer that vouches for one of them."""

    gateway: Gateway
    issuer: world.Forger

    @property
    def nightly(self) -> ECKey:
        return self.gateway.service_key


@pytest.fixture(scope="module")
def place(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("services")
    with world.forger() as issuer, running_gateway(folder, postgres) as running:
        running.stop()
        with (running.folder / "policies" / "demo.cedar").open("a") as policies:
            policies.write(RULE)
        connections = running.configuration["connections"]
        connections["archive"] = dict(connections["warehouse"])
        running.configuration["services"] |= {
            "reader": {
                "owner": "data platform",
                "connections": ["warehouse"],
                "actions": ["read"],
                "max_rows": 2,
                "statement_seconds": 9,
                "keys": [running.service_key.as_dict(private=False)],
            },
            "built": {
                "owner": "data platform",
                "connections": ["warehouse"],
                "actions": ["read"],
                "issuer": {"url": issuer.issuer, "subject": "repo:example/reports:ref:refs/*/main"},
            },
        }
        running.write()
        running.start()
        yield Place(running, issuer)


def asked(place: Place, form: dict[str, str], key: ProofKey | None = None) -> httpx.Response:
    """Asks the token endpoint, with a proof of this key, or of a new one."""
    url = f"{place.gateway.url}/v1/token"
    proof = (key or ProofKey()).prove("POST", url)
    return httpx.post(url, data=form, headers={"DPoP": proof})


def assertion(
    place: Place, key: Key | None = None, header: dict[str, Any] | None = None, **changes: Any
) -> str:
    """A good client assertion of the service nightly but for the changes."""
    now = int(time.time())
    claims = {
        "iss": "service:nightly",
        "sub": "service:nightly",
        "aud": place.gateway.url,
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_urlsafe(16),
        **changes,
    }
    used = key or place.nightly
    head = {"alg": "ES256", "typ": "JWT", **(header or {})}
    text = json.dumps({name: value for name, value in claims.items() if value is not None})
    return jws.serialize_compact(head, text, used, algorithms=[head["alg"]])


def own(text: str, **more: str) -> dict[str, str]:
    return {
        "grant_type": CLIENT_CREDENTIALS,
        "scope": "session",
        "client_id": "service:nightly",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": text,
        **more,
    }


def issued(place: Place, **changes: Any) -> str:
    """A good assertion of the issuer for the service built but for the changes."""
    now = int(time.time())
    return place.issuer.sign(
        **{
            "sub": SUBJECT,
            "aud": place.gateway.url,
            "groups": None,
            "iat": now,
            "exp": now + 300,
            "jti": secrets.token_urlsafe(16),
            **changes,
        }
    )


def vouched(text: str, **more: str) -> dict[str, str]:
    return {
        "grant_type": JWT_BEARER,
        "scope": "session",
        "client_id": "service:built",
        "assertion": text,
        **more,
    }


def refused(answer: httpx.Response, error: str, code: str) -> None:
    told = answer.json()
    assert (told.get("error"), told.get("code")) == (error, code), answer.text
    assert answer.status_code == (401 if error == "invalid_client" else 400)
    assert "access_token" not in told


def claims_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    payload = answer.json()["access_token"].split(".")[1]
    told: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return told


def assert_refused(session: Session, outcome: Any, code: str) -> None:
    assert (outcome.last["event"], outcome.last["code"]) == ("error", code)
    starts = [r["action"] for r in session.records() if r["kind"] == "execute_start"]
    assert outcome.event("accepted")["action"] not in starts


def service(place: Place, name: str = "nightly") -> ServiceClient:
    pem = place.nightly.as_pem(private=True).decode()
    return with_own_key(place.gateway.url, name, lambda: pem)


def opened(place: Place, name: str = "nightly") -> tuple[Session, GatewayAuth]:
    """The service's session, and its token."""
    auth = GatewayAuth(service(place, name), ["session", "read"])
    answer = place.gateway.request("POST", "/v1/sessions", auth=auth, json={})
    assert answer.status_code == 201, answer.text
    return Session(place.gateway, name, answer.json()), auth


# ---------------------------------------------------------------------- who it is


def test_a_services_token_is_short_bound_to_its_key_and_says_that_it_is_no_person(
    place: Place,
) -> None:
    for form, name in ((own(assertion(place)), "nightly"), (vouched(issued(place)), "built")):
        key = ProofKey()
        answer = asked(place, form, key)
        claims = claims_of(answer)
        assert answer.json()["token_type"] == "DPoP"
        assert claims["cnf"] == {"jkt": key.thumbprint}
        assert claims["aud"] == place.gateway.url
        assert claims["exp"] - claims["iat"] <= 300
        assert (claims["sub"], claims["subject_issuer"]) == (name, "urn:jupyter-zt:services")
        assert claims["roles"] == ["analyst"]
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert httpx.get(f"{place.gateway.url}/v1/me", headers=bearer).status_code == 401


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "https://elsewhere.example"}, "wrong_audience"),
        ({"aud": ["https://elsewhere.example", "http://127.0.0.1:1"]}, "wrong_audience"),
        ({"iss": "service:reader"}, "wrong_issuer"),
        ({"sub": "service:reader"}, "wrong_subject"),
        ({"iat": int(time.time()) - 600, "exp": int(time.time()) - 500}, "token_expired"),
        ({"exp": int(time.time()) + 3600}, "assertion_too_long"),
        ({"iat": int(time.time()) + 3000, "exp": int(time.time()) + 3060}, "token_not_yet_valid"),
        ({"jti": None}, "bad_token"),
        ({"jti": ""}, "bad_token"),
        ({"jti": 7}, "bad_token"),
        ({"exp": None}, "bad_token"),
        ({"iat": None}, "bad_token"),
        ({"sub": None}, "bad_token"),
    ],
)
def test_a_client_assertion_that_says_something_else_is_refused(
    place: Place, changes: dict[str, Any], code: str
) -> None:
    refused(asked(place, own(assertion(place, **changes))), "invalid_client", code)


def test_a_stranger_key_under_the_services_name_is_refused(place: Place) -> None:
    stranger = ECKey.generate_key("P-256")
    refused(asked(place, own(assertion(place, stranger))), "invalid_client", "bad_signature")
    named = {"kid": stranger.thumbprint()}
    refused(asked(place, own(assertion(place, stranger, named))), "invalid_client", "unknown_key")
    rsa = RSAKey.generate_key(2048)
    forged = assertion(place, rsa, {"alg": "RS256"})
    refused(asked(place, own(forged)), "invalid_client", "unknown_key")


def part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_secret(good: str, secret: bytes) -> str:
    """The same claims, with HMAC by what is public. By hand: libraries refuse to make it."""
    head = part(json.dumps({"alg": "HS256"}).encode())
    signed = f"{head}.{good.split('.')[1]}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), 'sha256'))}"


def test_algorithms_that_need_no_private_key_are_refused(place: Place) -> None:
    """`none`; and HMAC with the public key as its secret (RFC 8725, section 2.1)."""
    unsigned = part(b'{"alg":"none"}')
    for ask, good, public, error in (
        (own, assertion(place), place.nightly, "invalid_client"),
        (vouched, issued(place), place.issuer.key, "invalid_grant"),
    ):
        head, body, _ = good.split(".")
        forged = f"{unsigned}.{body}."
        refused(asked(place, ask(forged)), error, "algorithm_not_allowed")
        refused(asked(place, ask(f"{head}.{body}.")), error, "bad_signature")
        for secret in (
            public.as_pem(private=False),
            json.dumps(public.as_dict(private=False)).encode(),
        ):
            forged = by_secret(good, secret)
            refused(asked(place, ask(forged)), error, "algorithm_not_allowed")
        assert asked(place, ask(good)).status_code == 200


def test_a_client_assertion_is_good_once_also_after_a_restart(place: Place) -> None:
    text = assertion(place)
    key = ProofKey()
    assert asked(place, own(text), key).status_code == 200
    refused(asked(place, own(text), key), "invalid_client", "replayed")
    refused(asked(place, own(text)), "invalid_client", "replayed")
    place.gateway.restart()
    refused(asked(place, own(text), key), "invalid_client", "replayed")


def test_an_issuers_assertion_is_good_for_the_key_that_it_came_with_first(place: Place) -> None:
    for text in (issued(place), issued(place, jti=None)):
        key = ProofKey()
        assert asked(place, vouched(text), key).status_code == 200
        assert asked(place, vouched(text), key).status_code == 200
        refused(asked(place, vouched(text)), "invalid_grant", "replayed")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "https://elsewhere.example"}, "wrong_audience"),
        ({"sub": "repo:example/other:ref:refs/heads/main"}, "wrong_subject"),
        ({"sub": "repo:example/reports:ref:refs/heads/main2"}, "wrong_subject"),
        ({"sub": f"x{SUBJECT}"}, "wrong_subject"),
        ({"sub": [SUBJECT]}, "bad_token"),
        ({"iss": "https://elsewhere.example"}, "wrong_issuer"),
        ({"iat": int(time.time()) - 900, "exp": int(time.time()) - 700}, "token_expired"),
        ({"exp": int(time.time()) + 3600}, "assertion_too_long"),
        ({"typ": "ID"}, "wrong_token_type"),
        ({"jti": {}}, "bad_token"),
    ],
)
def test_an_issuers_assertion_that_says_something_else_is_refused(
    place: Place, changes: dict[str, Any], code: str
) -> None:
    refused(asked(place, vouched(issued(place, **changes))), "invalid_grant", code)


def test_another_issuers_signature_is_refused(place: Place) -> None:
    stranger = RSAKey.generate_key(2048, {"kid": place.issuer.key.kid})
    forged = place.issuer.sign(stranger, sub=SUBJECT, aud=place.gateway.url, groups=None)
    refused(asked(place, vouched(forged)), "invalid_grant", "bad_signature")


def test_one_way_is_not_the_other(place: Place) -> None:
    """A key's service has no issuer, an issuer's no key, and neither is a public client."""
    refused(
        asked(place, vouched(assertion(place), client_id="service:nightly")),
        "invalid_grant",
        "wrong_issuer",
    )
    refused(
        asked(
            place,
            own(
                assertion(place, iss="service:built", sub="service:built"),
                client_id="service:built",
            ),
        ),
        "invalid_client",
        "invalid_client",
    )
    for name in ("service:nightly", "service:built", "service:nobody", "nightly"):
        form = {"grant_type": CLIENT_CREDENTIALS, "client_id": name, "scope": "session"}
        refused(asked(place, form), "invalid_client", "invalid_client")
    form = vouched(issued(place), client_id="service:nobody")
    refused(asked(place, form), "invalid_client", "invalid_client")
    form = vouched(issued(place), client_id=world.CLI_CLIENT_ID)
    refused(asked(place, form), "invalid_client", "invalid_client")


def test_a_service_can_not_exchange_a_persons_login(place: Place) -> None:
    form = own(
        assertion(place),
        grant_type=TOKEN_EXCHANGE,
        audience=place.gateway.url,
        subject_token=place.gateway.token("reviewer"),
        subject_token_type=ID_TOKEN,
    )
    assert asked(place, form).json()["code"] == "wrong_audience"


# ---------------------------------------------------------------------- what it may


@pytest.mark.parametrize(
    "scope", ["approve", "revoke", "attest", "session approve", "actions revoke"]
)
def test_a_service_gets_no_token_that_decides_ends_or_vouches(place: Place, scope: str) -> None:
    refused(asked(place, own(assertion(place), scope=scope)), "invalid_scope", "invalid_scope")
    refused(asked(place, vouched(issued(place), scope=scope)), "invalid_scope", "invalid_scope")


def test_a_services_token_for_actions_is_for_a_session_of_its_own(place: Place) -> None:
    gateway = place.gateway
    refused(
        asked(place, own(assertion(place), scope="actions")), "invalid_target", "invalid_target"
    )
    persons = gateway.open("analyst", remote=True)
    auth = GatewayAuth(service(place), ["actions"], session=persons.id)
    answer = gateway.request("GET", f"/v1/sessions/{persons.id}/runtime/v1/session", auth=auth)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")
    client = service(place)
    steers = GatewayAuth(client, ["session"])
    mine = gateway.request("POST", "/v1/sessions", auth=steers, json={"remote": True}).json()["id"]
    path = f"/v1/sessions/{mine}/runtime/v1/session"
    acts = GatewayAuth(client, ["actions"], session=mine)
    assert gateway.request("GET", path, auth=acts).json()["human"]["service"]
    stolen = GatewayAuth(service(place), ["actions"], session=mine)
    assert gateway.request("GET", path, auth=stolen).status_code == 403


def test_a_service_neither_approves_revokes_nor_administers(place: Place) -> None:
    gateway = place.gateway
    session, auth = opened(place)
    other = gateway.open("analyst")
    calls = [
        ("POST", "/v1/approvals/x/votes", {"approve": True, "reason": "", "digest": "0" * 64}),
        ("POST", f"/v1/sessions/{other.id}/revoke", {"reason": "because"}),
        ("POST", f"/v1/sessions/{session.id}/revoke", {"reason": "because"}),
        ("POST", "/v1/sessions/stop", {"reason": "because"}),
        ("POST", "/v1/sessions/resume", None),
    ]
    for method, path, body in calls:
        answer = gateway.request(method, path, auth=auth, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope"), path
    # Nor does it see, renew, end or report in somebody else's session.
    seen = gateway.request("GET", "/v1/sessions", auth=auth).json()
    assert session.id in {one["id"] for one in seen}
    assert {one["human"] for one in seen} == {"service nightly"}
    for path, body in (
        ("renew", None),
        ("seal", {"cells_seen": "0"}),
    ):
        answer = gateway.request("POST", f"/v1/sessions/{other.id}/{path}", auth=auth, json=body)
        assert answer.status_code in {403, 404}, answer.text
    assert gateway.request("GET", f"/v1/sessions/{other.id}/recording", auth=auth).is_error
    assert len(session.run(READ).rows) == 3
    other.seal()


def test_people_decide_what_a_service_asks_for_and_are_told_that_it_is_one(place: Place) -> None:
    gateway = place.gateway
    session, _ = opened(place)
    call = session.start(WRITE)
    held = call.wait_for("held")["approval"]["id"]
    [request] = [one for one in gateway.approvals("reviewer") if one["id"] == held]
    requester = {"subject": "nightly", "name": "service nightly", "service": True}
    assert (request["requester"], request["may_decide"]) == (requester, True)
    assert gateway.vote("reviewer", held).is_success
    assert call.result().last["event"] == "result"


def test_a_connection_or_an_action_beyond_its_ceiling_is_denied(place: Place) -> None:
    reader, _ = opened(place, "reader")
    assert_refused(reader, reader.run(READ, "archive"), "service_connection")
    assert_refused(reader, reader.run(WRITE), "service_action")
    assert [one["name"] for one in reader.get("/v1/session").json()["connections"]] == ["warehouse"]


def test_its_ceiling_holds_at_the_target_too(place: Place) -> None:
    reader, _ = opened(place, "reader")
    assert len(reader.run(READ).rows) == 2
    [lease] = [record for record in reader.records() if record["kind"] == "lease"]
    timeouts = place.gateway.postgres.sql(
        f"SELECT rolconfig FROM pg_roles WHERE rolname = '{lease['role']}'"
    )
    assert "statement_timeout=9000ms" in timeouts[0][0]
    assert place.gateway.statements(f"session={reader.id}")
    assert all("service=reader" in it for it in place.gateway.statements(f"session={reader.id}"))


def test_an_agent_within_a_service_gets_what_both_may(place: Place) -> None:
    auth = GatewayAuth(service(place), ["session"], agent="react")
    answer = place.gateway.request("POST", "/v1/sessions", auth=auth, json={})
    session = Session(place.gateway, "nightly", answer.json())
    assert_refused(session, session.run(WRITE), "agent_action")
    auth = GatewayAuth(service(place, "reader"), ["session"], agent="react")
    answer = place.gateway.request("POST", "/v1/sessions", auth=auth, json={})
    session = Session(place.gateway, "reader", answer.json())
    assert len(session.run(READ).rows) == 2
    assert_refused(session, session.run(READ, "archive"), "service_connection")


def test_policies_know_a_service_from_a_person(place: Place) -> None:
    nightly, _ = opened(place)
    assert_refused(nightly, nightly.run("EXPLAIN SELECT 1"), "not_for_services")
    assert place.gateway.open("analyst").run("EXPLAIN SELECT 1").rows


def test_a_services_records_and_sessions_name_no_human(place: Place) -> None:
    session, auth = opened(place)
    session.run(READ)
    for record in session.records():
        assert "human" not in record["principal"]
        assert record["principal"]["service"]["sub"] == "nightly"
    me = place.gateway.request("GET", "/v1/me", auth=auth).json()
    assert (me["service"], me["name"], me["roles"]) == (True, "service nightly", ["analyst"])
    listed = place.gateway.request("GET", "/v1/sessions", "admin").json()
    [mine] = [one for one in listed if one["id"] == session.id]
    assert (mine["service"], mine["human"]) == (True, "service nightly")


def test_a_service_that_is_taken_out_is_out(place: Place) -> None:
    gateway = place.gateway
    session, _ = opened(place, "reader")
    assert session.run(READ).rows
    kept = gateway.configuration["services"].pop("reader")
    gateway.write()
    gateway.restart()
    try:
        assert_refused(session, session.run("SELECT 7 AS seven"), "unknown_service")
        with pytest.raises(AuthenticationError) as caught:
            gateway.request("GET", "/v1/me", auth=GatewayAuth(service(place, "reader"), ["read"]))
        assert caught.value.code == "invalid_client"
    finally:
        gateway.configuration["services"]["reader"] = kept
        gateway.write()
        gateway.restart()
