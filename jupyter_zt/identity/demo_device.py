"""The demo provider's device flow, on Authlib's RFC 8628 classes."""

from __future__ import annotations

import time
from typing import Any

from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint, DeviceCodeGrant

from jupyter_zt.identity.demo_accounts import Account
from jupyter_zt.identity.demo_grants import Device, Family, Memory

# mypy: disable-error-code="misc"
# (Authlib has no types, so every class here has a base class of unknown type.)

SLOW_DOWN_SECONDS = 5


def device_endpoint(memory: Memory) -> type[DeviceAuthorizationEndpoint]:
    """Where a program gets its codes."""

    class Endpoint(DeviceAuthorizationEndpoint):
        CLIENT_AUTH_METHODS = ("none",)
        EXPIRES_IN = memory.device_code_seconds
        INTERVAL = memory.device_interval_seconds

        def get_verification_uri(self) -> str:
            return f"{memory.issuer}/device"

        def save_device_credential(
            self, client_id: str, scope: str | None, data: dict[str, Any]
        ) -> None:
            memory.devices[data["device_code"]] = Device(
                client_id=client_id,
                scope=scope or "",
                user_code=data["user_code"],
                expires_at=time.time() + data["expires_in"],
                interval_seconds=data["interval"],
            )

    return Endpoint


def device_grant(memory: Memory) -> type[DeviceCodeGrant]:
    """Where a program asks whether its person has decided."""

    class Grant(DeviceCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

        def query_device_credential(self, device_code: str) -> Device | None:
            device = memory.devices.get(device_code)
            return None if device is None or device.used else device

        def query_user_grant(self, user_code: str) -> tuple[Account | None, bool] | None:
            device = find_device(memory, user_code)
            if device is None or (device.family is None and not device.denied):
                return None
            if device.family is None:
                return None, False
            return memory.accounts.get(device.family.account), True

        def should_slow_down(self, credential: Device) -> bool:
            now = time.time()
            hasty = now - credential.last_asked < credential.interval_seconds
            credential.last_asked = now
            if hasty:
                credential.interval_seconds += SLOW_DOWN_SECONDS
            return hasty

    return Grant


def find_device(memory: Memory, user_code: str) -> Device | None:
    """The login that a person means, however they write its code (RFC 8628, section 6.1)."""
    letters = "".join(letter for letter in user_code.upper() if letter.isalnum())
    for device in memory.devices.values():
        if device.user_code.replace("-", "") == letters:
            return device
    return None


def decide(device: Device, account: Account | None) -> None:
    """The person has chosen an account, or none: a refusal. The first word counts."""
    if not device.is_open:
        return
    if account is None:
        device.denied = True
    else:
        device.family = Family(account.name, device.client_id, int(time.time()))
