"""Tokens and proofs at the gateway: stolen, replayed, forged, widened. A real gateway refuses."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity import GatewayAuth, ProofKey, TokenClient
from jupyter_zt.identity.exchange import (
    ACCESS_TOKEN,
    AGENT,
    ID_TOKEN,
    SESSION_RESOURCE,
    TOKEN_EXCHANGE,
)
from tests.fixtures_gateway import BROKER_SECRET, Gateway
from tests.identity import world

PATH = "/v1/me"


class Thief:
    """Has a person's token of the gateway and the key for it, and makes proofs by hand."""

    def __init__(self, gateway: Gateway, person: str = "analyst", scopes: str = "read") -> None:
        self.gateway = gateway
        self.key = ProofKey()
        self.private: ECKey = self.key._key
        client = TokenClient(gateway.url, "broker", BROKER_SECRET, self.key)
        auth = GatewayAuth(client, scopes.split(), lambda: gateway.token(person))
        answer = httpx.get(gateway.url + PATH, auth=auth)
        assert answer.status_code in {200, 403}, answer.text
        self.token = auth.token

    def proof(self, header: dict[str, Any] | None = None, key: Any = None, **changes: Any) -> str:
        """A good proof for GET /v1/me but for the changes; None takes a member away."""
        claims = {
            "jti": secrets.token_urlsafe(16),
            "htm": "GET",
            "htu": self.gateway.url + PATH,
            "iat": int(time.time()),
            "ath": part(hashlib.sha256(self.token.encode()).digest()),
            **changes,
        }
        used = key or self.private
        shown = {"typ": "dpop+jwt", "alg": "ES256", "jwk": used.as_dict(private=False)}
        shown |= header or {}
        return jws.serialize_compact(
            {name: value for name, value in shown.items() if value is not None},
            json.dumps({name: value for name, value in claims.items() if value is not None}),
            used,
            algorithms=[shown["alg"]],
        )

    def get(
        self, proof: str | None, *, token: str = "", scheme: str = "DPoP", **options: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"{scheme} {token or self.token}"}
        if proof is not None:
            headers["DPoP"] = proof
        return httpx.get(self.gateway.url + PATH, headers=headers, **options)

    def refusal(self, proof: str | None, **options: Any) -> str:
        answer = self.get(proof, **options)
        assert answer.status_code in {401, 422}, answer.text
        problem = answer.json()
        assert problem["message"]
        assert problem["hint"]
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"].startswith("DPoP ")
        return str(problem["code"])


def part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def thief(gateway: Gateway) -> Thief:
    return Thief(gateway)


def test_a_good_proof_is_accepted(thief: Thief) -> None:
    """The others below differ from this one in one thing each."""
    assert thief.get(thief.proof()).json()["name"] == "analyst"
    ed25519 = OKPKey.generate_key("Ed25519")
    assert thief.refusal(thief.proof({"alg": "Ed25519"}, ed25519)) == "proof_of_another_key"


# --- the proof ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "htu",
    [
        "https://evil.example/v1/me",
        "http://127.0.0.1:1/v1/me",
        "{url}/v1/sessions",
        "{url}/v1/me/",
        "{url}/v1//me",
        "{url}.evil.example/v1/me",
        "{url}@evil.example/v1/me",
        "/v1/me",
        "",
        7,
        None,
    ],
)
def test_proof_for_another_htu(thief: Thief, htu: Any) -> None:
    if isinstance(htu, str):
        htu = htu.replace("{url}", thief.gateway.url)
    assert thief.refusal(thief.proof(htu=htu)) == "proof_for_another_request"


def test_proof_relayed_with_the_host_header_of_where_it_was_meant_for(thief: Thief) -> None:
    """The gateway knows its own address: a Host header does not change it."""
    headers = {
        "Authorization": f"DPoP {thief.token}",
        "DPoP": thief.proof(htu="http://evil.example/v1/me"),
        "Host": "evil.example",
    }
    answer = httpx.get(thief.gateway.url + PATH, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "proof_for_another_request")


@pytest.mark.parametrize("htm", ["POST", "get", "", None, ["GET"]])
def test_proof_for_another_htm(thief: Thief, htm: Any) -> None:
    assert thief.refusal(thief.proof(htm=htm)) == "proof_for_another_request"


@pytest.mark.parametrize("seconds", [-3600, -75, 75, 3600, 10**12])
def test_proof_with_an_iat_outside_of_the_window(thief: Thief, seconds: int) -> None:
    assert thief.refusal(thief.proof(iat=int(time.time()) + seconds)) == "proof_expired"


@pytest.mark.parametrize("iat", [None, "now", True, [1], {}])
def test_proof_with_a_malformed_iat(thief: Thief, iat: Any) -> None:
    assert thief.refusal(thief.proof(iat=iat)) == "bad_proof"


def test_proof_with_an_iat_that_is_no_number_of_json(thief: Thief) -> None:
    assert thief.refusal(thief.proof(iat=float("nan"))) in {"proof_expired", "bad_proof"}


def test_proof_whose_jti_was_used(thief: Thief) -> None:
    proof = thief.proof()
    assert thief.get(proof).status_code == 200
    assert thief.refusal(proof) == "proof_replayed"
    again = thief.proof(jti="chosen")
    assert thief.get(again).status_code == 200
    assert thief.refusal(thief.proof(jti="chosen")) == "proof_replayed"


def test_jti_of_another_key_is_not_used_up(thief: Thief, gateway: Gateway) -> None:
    other = Thief(gateway, "reviewer")
    assert thief.get(thief.proof(jti="shared")).status_code == 200
    assert other.get(other.proof(jti="shared")).status_code == 200


@pytest.mark.parametrize("jti", [None, "", 7, "x" * 300])
def test_proof_without_a_jti(thief: Thief, jti: Any) -> None:
    assert thief.refusal(thief.proof(jti=jti)) == "bad_proof"


@pytest.mark.parametrize("ath", [None, "", "x", part(hashlib.sha256(b"another token").digest())])
def test_proof_with_the_ath_of_another_token(thief: Thief, ath: Any) -> None:
    assert thief.refusal(thief.proof(ath=ath)) == "proof_for_another_token"


def test_stolen_token_with_another_key(thief: Thief) -> None:
    assert thief.refusal(thief.proof(key=ECKey.generate_key("P-256"))) == "proof_of_another_key"


def test_stolen_token_with_the_right_key_shown_and_another_used(thief: Thief) -> None:
    shown = {"jwk": thief.private.as_dict(private=False)}
    proof = thief.proof(shown, ECKey.generate_key("P-256"))
    assert thief.refusal(proof) == "bad_proof"


def test_proof_changed_after_it_was_signed(thief: Thief) -> None:
    head, _, signature = thief.proof().split(".")
    _, claims, _ = thief.proof().split(".")
    assert thief.refusal(f"{head}.{claims}.{signature}") == "bad_proof"


@pytest.mark.parametrize("typ", [None, "JWT", "at+jwt", "dpop"])
def test_proof_of_another_type(thief: Thief, typ: Any) -> None:
    assert thief.refusal(thief.proof({"typ": typ})) == "bad_proof"


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES384", "", None, 7])
def test_proof_with_an_algorithm_that_is_not_allowed(thief: Thief, algorithm: Any) -> None:
    header = {"typ": "dpop+jwt", "alg": algorithm, "jwk": thief.private.as_dict(private=False)}
    _, claims, _ = thief.proof().split(".")
    proof = f"{part(json.dumps(header).encode())}.{claims}.{part(b'x' * 64)}"
    assert thief.refusal(proof) in {"proof_algorithm", "bad_proof"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: None,
        lambda key: key.as_dict(private=True),
        lambda key: {**key.as_dict(private=False), "x": "AAAA"},
        lambda key: {**key.as_dict(private=False), "crv": "P-384"},
        lambda _: {"kty": "oct", "k": "c2VjcmV0"},
        lambda _: RSAKey.generate_key(2048).as_dict(private=False),
        lambda _: "a key",
        lambda _: {},
    ],
    ids=["missing", "private", "no point", "curve", "symmetric", "rsa", "text", "empty"],
)
def test_proof_whose_jwk_is_no_public_key_of_its_algorithm(
    thief: Thief, spoil: Callable[[ECKey], Any]
) -> None:
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": spoil(thief.private)}
    _, claims, _ = thief.proof().split(".")
    # The signature is not looked at: there is no key to verify it with.
    proof = f"{part(json.dumps(header).encode())}.{claims}.{part(b'x' * 64)}"
    assert thief.refusal(proof) == "bad_proof"


@pytest.mark.parametrize("proof", [None, "", "x", "a.b.c", "..", "é", "x" * 5000])
def test_request_without_a_proof(thief: Thief, proof: str | None) -> None:
    headers: list[tuple[bytes, bytes]] = [(b"Authorization", f"DPoP {thief.token}".encode())]
    if proof is not None:
        headers.append((b"DPoP", proof.encode()))
    answer = httpx.get(thief.gateway.url + PATH, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_proof")
    assert 'error="invalid_dpop_proof"' in answer.headers["www-authenticate"]


def test_request_with_two_proofs(thief: Thief) -> None:
    headers = [
        ("Authorization", f"DPoP {thief.token}"),
        ("DPoP", thief.proof()),
        ("DPoP", thief.proof()),
    ]
    assert httpx.get(thief.gateway.url + PATH, headers=headers).json()["code"] == "bad_proof"


# --- the token ------------------------------------------------------------------------------------


def test_bearer_downgrade_of_a_bound_token(thief: Thief) -> None:
    for proof in (None, thief.proof()):
        assert thief.refusal(proof, scheme="Bearer") == "bearer_refused"


def test_id_token_as_bearer_is_good_for_nothing(thief: Thief) -> None:
    """What a broker shows at the token endpoint is accepted there and nowhere else."""
    id_token = thief.gateway.token("analyst")
    assert thief.refusal(None, scheme="Bearer", token=id_token) == "bearer_refused"
    ath = part(hashlib.sha256(id_token.encode()).digest())
    assert thief.refusal(thief.proof(ath=ath), token=id_token) == "bad_token"


def test_token_in_the_query_string(thief: Thief) -> None:
    address = f"{thief.gateway.url}{PATH}?access_token={thief.token}"
    bare = httpx.get(address, headers={"DPoP": thief.proof()})
    assert (bare.status_code, bare.json()["code"]) == (422, "token_in_query")
    assert thief.refusal(thief.proof(), params={"access_token": thief.token}) == "token_in_query"
    log = thief.gateway.log.read_text()
    assert thief.token not in log


def test_two_tokens_in_one_request(thief: Thief) -> None:
    shown = ("Authorization", f"DPoP {thief.token}")
    answer = httpx.get(thief.gateway.url + PATH, headers=[shown, shown, ("DPoP", thief.proof())])
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def forged(thief: Thief, key: Any, algorithm: str, header: Any = None, **changes: Any) -> str:
    _, claims, _ = thief.token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    head = {"typ": "at+jwt", "alg": algorithm, **(header or {})}
    return jwt.encode(head, {**said, **changes}, key, algorithms=[algorithm])


def test_token_that_was_changed_or_signed_by_somebody_else(thief: Thief) -> None:
    head, claims, signature = thief.token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    roles = part(json.dumps({**said, "roles": ["admin", "reviewer"]}).encode())
    none = part(json.dumps({"typ": "at+jwt", "alg": "none"}).encode())
    provider = OKPKey.generate_key("Ed25519")
    for token in (
        f"{head}.{roles}.{signature}",
        f"{none}.{claims}.",
        f"{head}.{claims}.",
        forged(thief, provider, "Ed25519"),
        forged(thief, provider, "Ed25519", {"jwk": provider.as_dict(private=False)}),
        "x" * 9000,
        "a.b.c",
        "é",
    ):
        ath = part(hashlib.sha256(token.encode()).digest())
        headers = {"Authorization": f"DPoP {token}".encode(), "DPoP": thief.proof(ath=ath).encode()}
        answer = httpx.get(thief.gateway.url + PATH, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "bad_token"), token


def test_token_says_who_acts_for_whom_and_is_short_lived(thief: Thief) -> None:
    _, claims, _ = thief.token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (said["sub"], said["subject_issuer"]) == ("analyst", thief.gateway.issuer)
    assert said["act"] == {"sub": "broker"}
    assert said["aud"] == said["iss"] == thief.gateway.url
    assert said["scope"] == "read"
    assert said["cnf"] == {"jkt": thief.key.thumbprint}
    assert 0 < said["exp"] - said["iat"] <= 300


def test_token_is_good_for_its_scopes_only(gateway: Gateway) -> None:
    session = gateway.open()
    held = session.start("UPDATE customers SET city = 'Scoped' WHERE id = 17")
    approval = held.wait_for("held")["approval"]
    path = f"/v1/approvals/{approval['id']}/votes"
    body = {"approve": True, "reason": "", "digest": approval["digest"]}
    for scopes in ("read", "session"):
        answer = gateway.request("POST", path, auth=gateway.auth("reviewer", scopes), json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    answer = gateway.request("POST", path, auth=gateway.broker_auth, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    held.close()


def test_another_broker_with_the_same_secret_does_not_steer_a_session(gateway: Gateway) -> None:
    """A session belongs to the key that opened it."""
    session = gateway.open()
    other = TokenClient(gateway.url, "broker", BROKER_SECRET)
    own = GatewayAuth(other, ["attest"])
    persons = GatewayAuth(other, ["session"], lambda: gateway.token("analyst"))
    address = f"/v1/sessions/{session.id}"
    report = {"msg_id": "m", "cell_id": "c", "source": "1", "outputs": [], "status": "ok"}
    for method, path, auth, body in (
        ("POST", "/cells", own, report),
        ("POST", "/suspend", own, None),
        ("GET", "/recording", own, None),
        ("POST", "/seal", own, {"cells_seen": "0"}),
        ("POST", "/seal", persons, {"cells_seen": "0"}),
        ("POST", "/renew", persons, None),
    ):
        answer = gateway.request(method, address + path, auth=auth, json=body)
        assert answer.status_code == 403, (path, answer.text)
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]


def test_a_logged_out_humans_next_request_fails(own_gateway: Gateway) -> None:
    """Revocation beats the memory of what was verified, also after a restart."""
    thief = Thief(own_gateway)
    assert thief.get(thief.proof()).status_code == 200
    form = {"client_id": "broker", "client_secret": BROKER_SECRET, "token": thief.token}
    assert httpx.post(f"{own_gateway.url}/v1/revoke", data=form).status_code == 200
    assert thief.refusal(thief.proof()) == "token_revoked"
    own_gateway.restart()
    assert thief.refusal(thief.proof()) == "token_revoked"
    # Others of the same person go on, and so do they after a new exchange.
    assert own_gateway.request("GET", PATH, "analyst").status_code == 200
    assert Thief(own_gateway).token


def test_nobody_revokes_the_tokens_of_another_client(thief: Thief) -> None:
    form = {"client_id": world.CLI_CLIENT_ID, "token": thief.token}
    refused = httpx.post(f"{thief.gateway.url}/v1/revoke", data=form)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    unknown = httpx.post(f"{thief.gateway.url}/v1/revoke", data={"token": thief.token})
    assert (unknown.status_code, unknown.json()["error"]) == (401, "invalid_client")
    assert thief.get(thief.proof()).status_code == 200


# --- the token endpoint ---------------------------------------------------------------------------


@pytest.fixture
def ask(gateway: Gateway) -> Callable[..., httpx.Response]:
    """Sends a good exchange but for the changes; None takes a parameter away."""
    key = ProofKey()
    url = f"{gateway.url}/v1/token"

    def send(*, proof: str = "", headers: Any = (), **changes: Any) -> httpx.Response:
        form = {
            "grant_type": TOKEN_EXCHANGE,
            "client_id": "broker",
            "client_secret": BROKER_SECRET,
            "subject_token": gateway.token("analyst"),
            "subject_token_type": ID_TOKEN,
            "audience": gateway.url,
            "scope": "read",
            **changes,
        }
        shown = {"DPoP": proof or key.prove("POST", url), **dict(headers)}
        sent = {name: value for name, value in form.items() if value is not None}
        return httpx.post(url, data=sent, headers=shown)

    return send


def test_exchange_answers_as_the_rfc_says(ask: Callable[..., httpx.Response]) -> None:
    answer = ask()
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["issued_token_type"]) == ("DPoP", ACCESS_TOKEN)
    assert (body["scope"], 0 < body["expires_in"] <= 300) == ("read", True)
    basic = {"Authorization": httpx.BasicAuth("broker", BROKER_SECRET)._auth_header}
    assert ask(client_id=None, client_secret=None, headers=basic).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"client_secret": "guess"}, "invalid_client", "invalid_client"),
        ({"client_secret": None}, "invalid_client", "invalid_client"),
        ({"client_id": "stranger"}, "invalid_client", "invalid_client"),
        ({"client_id": None, "client_secret": None}, "invalid_client", "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type", "unsupported_grant_type"),
        ({"grant_type": None}, "unsupported_grant_type", "unsupported_grant_type"),
        ({"audience": "https://evil.example"}, "invalid_target", "wrong_audience"),
        ({"audience": None}, "invalid_target", "wrong_audience"),
        ({"subject_token": "x"}, "invalid_request", "bad_token"),
        ({"subject_token": None}, "invalid_request", "unknown_subject_type"),
        ({"subject_token_type": ACCESS_TOKEN}, "invalid_request", "unknown_subject_type"),
        ({"requested_token_type": ID_TOKEN}, "invalid_request", "invalid_request"),
        ({"scope": "read everything"}, "invalid_scope", "invalid_scope"),
        ({"scope": "attest"}, "invalid_scope", "invalid_scope"),
        ({"scope": ""}, "invalid_scope", "invalid_scope"),
        ({"scope": "actions"}, "invalid_target", "invalid_target"),
        ({"scope": "actions", "resource": "s_1"}, "invalid_target", "invalid_target"),
        (
            {"scope": "actions", "resource": SESSION_RESOURCE + "../x"},
            "invalid_target",
            "invalid_target",
        ),
        ({"actor_token": "analyst2"}, "invalid_request", "unknown_actor_type"),
        (
            {"actor_token": "x", "actor_token_type": ID_TOKEN},
            "invalid_request",
            "unknown_actor_type",
        ),
        ({"actor_token": "x", "actor_token_type": AGENT}, "invalid_request", "unknown_agent"),
        ({"proof": "x"}, "invalid_dpop_proof", "bad_proof"),
    ],
)
def test_exchange_is_refused(
    ask: Callable[..., httpx.Response], changes: dict[str, Any], error: str, code: str
) -> None:
    answer = ask(**changes)
    assert answer.status_code == (401 if error == "invalid_client" else 400)
    body = answer.json()
    assert (body["error"], body["code"]) == (error, code)
    assert body["error_description"] == body["message"]


def test_exchange_of_a_token_that_was_issued_to_another_client(
    ask: Callable[..., httpx.Response],
) -> None:
    """A command line's exchange needs no secret: a notebook server's login is not exchanged so."""
    answer = ask(client_id=world.CLI_CLIENT_ID, client_secret=None)
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_audience")


def test_exchange_of_a_token_of_the_gateway_for_more(
    ask: Callable[..., httpx.Response], thief: Thief
) -> None:
    answer = ask(subject_token=thief.token, scope="approve")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_proof_of_an_exchange_used_again(
    ask: Callable[..., httpx.Response], gateway: Gateway
) -> None:
    proof = ProofKey().prove("POST", f"{gateway.url}/v1/token")
    assert ask(proof=proof).status_code == 200
    answer = ask(proof=proof)
    assert (answer.json()["error"], answer.json()["code"]) == (
        "invalid_dpop_proof",
        "proof_replayed",
    )


def test_parameters_of_an_exchange_come_once_and_in_the_body(gateway: Gateway) -> None:
    url = f"{gateway.url}/v1/token"
    form = "application/x-www-form-urlencoded"
    for address, content, kind in (
        (url, b"grant_type=a&grant_type=b", form),
        (f"{url}?client_id=broker", b"grant_type=a", form),
        (url, b'{"grant_type": "a"}', "application/json"),
        (url, b"\xff", form),
        (url, b"a=" + b"x" * 70_000, form),
        (url, b"&".join(b"a%d=1" % number for number in range(64)), form),
    ):
        answer = httpx.post(address, content=content, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_client_authenticates_itself_in_one_way(ask: Callable[..., httpx.Response]) -> None:
    basic = {"Authorization": httpx.BasicAuth("broker", BROKER_SECRET)._auth_header}
    assert ask(headers=basic).json()["error"] == "invalid_request"
    for header in ("Basic x", "Bearer x", "Basic YnJva2Vy"):
        answer = ask(client_id=None, client_secret=None, headers={"Authorization": header})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_client_without_its_person_gets_nobodys_rights(gateway: Gateway) -> None:
    client = TokenClient(gateway.url, "broker", BROKER_SECRET)
    for scope in ("read", "approve", "session", "actions"):
        with pytest.raises(AuthenticationError) as refused:
            httpx.get(gateway.url + PATH, auth=GatewayAuth(client, [scope]))
        assert refused.value.code == "invalid_scope"
    public = TokenClient(gateway.url, world.CLI_CLIENT_ID, "")
    with pytest.raises(AuthenticationError) as refused:
        httpx.get(gateway.url + PATH, auth=GatewayAuth(public, ["attest"]))
    assert refused.value.code == "invalid_scope"


def test_key_of_the_gateways_tokens_is_private_and_stays(own_gateway: Gateway) -> None:
    key = own_gateway.folder / "state/token.key"
    assert key.stat().st_mode & 0o777 == 0o600
    thief = Thief(own_gateway)
    own_gateway.restart()
    assert thief.get(thief.proof()).status_code == 200
