"""Builds the rooms from a configuration directory and serves them until told to stop."""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import uvicorn
from sqlalchemy import Engine

from jupyter_zt import storage
from jupyter_zt.access import read_secret
from jupyter_zt.approvals import ApprovalStore
from jupyter_zt.errors import ConfigError, UnavailableError
from jupyter_zt.gateway.app import create_app
from jupyter_zt.gateway.bounds import MAX_CONTROL_BODY_BYTES, BodyLimit, BoundedProtocol
from jupyter_zt.gateway.budgets import Budgets
from jupyter_zt.gateway.callers import Callers
from jupyter_zt.gateway.changes import Changes
from jupyter_zt.gateway.clients import Clients
from jupyter_zt.gateway.config import Configuration
from jupyter_zt.gateway.connections import build_targets
from jupyter_zt.gateway.consent import Consent
from jupyter_zt.gateway.halting import Halting
from jupyter_zt.gateway.hub_logins import HubLogins
from jupyter_zt.gateway.hub_settings import HubIdentity
from jupyter_zt.gateway.leases import Leases
from jupyter_zt.gateway.live_policies import LivePolicies
from jupyter_zt.gateway.records import Records
from jupyter_zt.gateway.revoking import Revoking
from jupyter_zt.gateway.rooms import Rooms, now_utc
from jupyter_zt.gateway.sessions import SessionBook
from jupyter_zt.gateway.shown_assertions import ShownAssertions
from jupyter_zt.gateway.targets import Target
from jupyter_zt.gateway.token_api import TokenEndpoint
from jupyter_zt.gateway.token_revocations import TokenRevocations
from jupyter_zt.identity import (
    GatewayTokens,
    HubTokens,
    HubVerifier,
    IdTokens,
    ProofVerifier,
    ServiceAssertions,
    SubjectVerifier,
    TokenExchange,
    TokenVerifier,
)
from jupyter_zt.identity.exchange import (
    ACCESS_TOKEN,
    CLIENT_CREDENTIALS,
    ID_TOKEN,
    TOKEN_EXCHANGE,
)
from jupyter_zt.identity.service_assertions import JWT_BEARER
from jupyter_zt.masking import Classification
from jupyter_zt.recording import Log, load_or_create_key, trust_policy

CLASSIFICATION = "classification.yaml"
POLICIES = "policies"
TRUST = "trust.json"
DRAIN_SECONDS = 1
KEEP_ALIVE_SECONDS = 75
"""More than a relay keeps a connection that rests: it never sends on one that is just closed."""
EXIT_LOG_CLOSED = 70

logger = logging.getLogger(__name__)


def build_rooms(directory: Path) -> Rooms:
    """Loads and checks everything; opens the database and the log.

    Raises:
        ConfigError: With file and line.
        UnavailableError: State that is needed can't be opened: nothing is served.
    """
    config = Configuration.load(directory)
    connections = list(config.values.connections)
    classification = Classification.load(config.directory / CLASSIFICATION, connections)
    policies = LivePolicies(config.directory / POLICIES, connections, classification.connections)
    read_secret(config.secret(config.values.broker.secret))
    try:
        config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        msg = f"The state folder {config.state} can't be made: {error.strerror}."
        raise UnavailableError(msg, code="state_unavailable") from error
    engine = storage.open_database(f"sqlite:///{config.state / 'gateway.db'}")
    log = Log(
        engine,
        config.values.gateway.name,
        load_or_create_key(config.state / "log.key"),
        now_utc,
        os.urandom,
        on_fatal=_end_process,
    )
    approvals = ApprovalStore(engine)
    log.start(waiting={held.action.id for held in approvals.waiting()})
    _write_trust(config, log)
    token_endpoint = _build_tokens(config, engine)
    sessions = SessionBook(engine, now_utc)
    records = Records(log, sessions, lambda: policies.current.digest)
    changes = Changes(start=secrets.randbelow(2**40))
    targets: Mapping[str, Target] = build_targets(config, classification)
    consent = Consent(records, approvals, changes, now_utc)
    halting = Halting(records, consent, approvals, targets)
    return Rooms(
        config=config,
        engine=engine,
        log=log,
        records=records,
        policies=policies,
        token_endpoint=token_endpoint,
        callers=Callers(token_endpoint.tokens, token_endpoint.proofs, token_endpoint.revocations),
        targets=targets,
        sessions=sessions,
        approvals=approvals,
        changes=changes,
        consent=consent,
        leases=Leases(records, now_utc),
        halting=halting,
        revoking=Revoking(engine, records, sessions, halting, changes, now_utc),
        agents={name: one.agent(name) for name, one in config.values.agents.items()},
        services={name: one.service(name) for name, one in config.values.services.items()},
        budgets=Budgets(config.values.budgets, engine, now_utc),
    )


def _build_tokens(config: Configuration, engine: Engine) -> TokenEndpoint:
    """The token endpoint: whom it believes, and what it gives tokens for."""
    listen = config.values.gateway
    key = storage.load_or_create_key(
        config.state / "token.key",
        "key of the gateway's tokens",
        "Remove it: clients log in again.",
    )
    exchange = TokenExchange(
        frozenset(listen.origins),
        _subjects(config, engine),
        config.values.agents,
        now_utc,
    )
    services = _services(config, engine)
    return TokenEndpoint(
        clients=Clients(config, services),
        grants={
            TOKEN_EXCHANGE: exchange,
            CLIENT_CREDENTIALS: services.client_credentials,
            JWT_BEARER: services.bearer,
        },
        tokens=GatewayTokens(key, listen.origins[0]),
        proofs=ProofVerifier(listen.origins),
        revocations=TokenRevocations(engine, time.time),
    )


def _subjects(config: Configuration, engine: Engine) -> Mapping[str, SubjectVerifier]:
    """Type of a person's token -> who believes it."""
    identity = config.values.identity
    roles = {str(role): groups for role, groups in identity.roles.items()}
    if isinstance(identity, HubIdentity):
        # No proxies from the environment, and no redirects: a Hub's token is a secret.
        http = httpx.AsyncClient(timeout=10, trust_env=False)
        hub = HubVerifier(identity.issuer, identity.api_url, identity.service, http)
        return {ACCESS_TOKEN: HubTokens(hub, roles, HubLogins(engine, now_utc).since)}
    verifier = TokenVerifier(
        identity.issuer,
        identity.accepted_audiences,
        identity.algorithms,
        httpx.AsyncClient(),
        groups_claim=identity.groups_claim,
        subject_claim=identity.subject_claim,
    )
    return {ID_TOKEN: IdTokens(verifier, roles)}


def _services(config: Configuration, engine: Engine) -> ServiceAssertions:
    """Services, and who is believed to be one."""
    # No proxies from the environment: who vouches is asked for its keys at its own address.
    http = httpx.AsyncClient(timeout=10, trust_env=False)
    origins = config.values.gateway.origins
    registered = {
        name: one.registration(name, config.directory, origins, http)
        for name, one in config.values.services.items()
    }
    shown = ShownAssertions(engine, time.time)
    return ServiceAssertions(registered, config.values.agents, shown.first_key, now_utc)


def _write_trust(config: Configuration, log: Log) -> None:
    """What an auditor pins, for the administrator to hand out: `state/trust.json`."""
    text = json.dumps(trust_policy(log), indent=2) + "\n"
    (config.state / TRUST).write_text(text, encoding="utf-8")


def _end_process(why: str) -> None:
    """A log that can't tell what is durable ends the process: only a new start can."""
    logger.critical("the evidence log closed for good: %s", why)
    logging.shutdown()
    os._exit(EXIT_LOG_CLOSED)


def serve(directory: Path) -> int:
    """Serves the gateway of this configuration directory until SIGTERM or Ctrl-C.

    Returns:
        The process's exit code.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    rooms = build_rooms(directory)
    listen = rooms.config.values.gateway
    try:
        server = uvicorn.Server(
            uvicorn.Config(
                BodyLimit(create_app(rooms), MAX_CONTROL_BODY_BYTES),
                http=BoundedProtocol,
                host=listen.host,
                port=listen.port,
                **listen.tls_files(rooms.config.directory),
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=DRAIN_SECONDS,
            )
        )
        server.run()
    except SystemExit as error:
        msg = f"The gateway can't serve on {listen.listen}: its log has the reason."
        raise ConfigError(
            msg, code="not_serving", hint="Is another program on that port? Change gateway.listen."
        ) from error
    return 0
