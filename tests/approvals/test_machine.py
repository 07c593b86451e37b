"""The approval state machine: who may decide, when, and what it may lead to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.strategies import booleans, integers, sampled_from

from jupyter_zt import approvals
from jupyter_zt.errors import ConflictError, InvalidInputError, PermissionDeniedError, ZTError
from jupyter_zt.model import (
    Action,
    Approval,
    ApprovalState,
    Decision,
    Human,
    Obligations,
    Principal,
    Verdict,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ISSUER = "https://id.example"
REQUESTER = Human(ISSUER, "1", "analyst", frozenset({"analyst", "reviewer", "admin"}))
REVIEWERS = [Human(ISSUER, str(n), f"reviewer{n}", frozenset({"reviewer"})) for n in range(2, 5)]
STRANGER = Human(ISSUER, "9", "auditor", frozenset({"auditor", "admin"}))
DIGEST = "d" * 64


def open_one(quorum: int = 1) -> Approval:
    return approvals.open_approval(
        approval_id="p_1",
        action="a_1",
        digest=DIGEST,
        principal=Principal(REQUESTER, "s_1"),
        decision=Decision(
            Verdict.HOLD, "policy", obligations=Obligations(reviewer_role="reviewer", quorum=quorum)
        ),
        now=NOW,
        ttl=timedelta(minutes=5),
    )


def approve(approval: Approval, human: Human, *, digest: str = DIGEST) -> Approval:
    return approvals.vote(approval, human, approve=True, reason="", digest=digest, now=NOW)


def test_another_person_with_the_role_approves() -> None:
    approval = approve(open_one(), REVIEWERS[0])
    assert approval.state is ApprovalState.APPROVED
    assert approvals.begin(approval, digest=DIGEST, now=NOW).state is ApprovalState.EXECUTING


def test_requester_cannot_approve_own_action_even_as_reviewer_and_admin() -> None:
    with pytest.raises(PermissionDeniedError) as caught:
        approve(open_one(), REQUESTER)
    assert caught.value.code == "own_action"


def test_requester_is_known_by_subject_not_by_name() -> None:
    renamed = replace(REQUESTER, name="somebody else")
    with pytest.raises(PermissionDeniedError):
        approve(open_one(), renamed)


def test_a_person_without_the_role_cannot_decide() -> None:
    with pytest.raises(PermissionDeniedError) as caught:
        approve(open_one(), STRANGER)
    assert caught.value.code == "not_a_reviewer"


def test_one_person_has_one_vote() -> None:
    approval = approve(open_one(quorum=2), REVIEWERS[0])
    assert approval.state is ApprovalState.OPEN
    with pytest.raises(PermissionDeniedError) as caught:
        approve(approval, REVIEWERS[0])
    assert caught.value.code == "voted_already"
    assert approve(approval, REVIEWERS[1]).state is ApprovalState.APPROVED


def test_a_vote_on_another_digest_does_not_count() -> None:
    with pytest.raises(ConflictError) as caught:
        approve(open_one(), REVIEWERS[0], digest="e" * 64)
    assert caught.value.code == "digest_differs"


def test_a_timeout_is_a_denial_even_after_consent() -> None:
    late = NOW + timedelta(minutes=5)
    approval = approve(open_one(), REVIEWERS[0])
    with pytest.raises(ConflictError):
        approvals.begin(approval, digest=DIGEST, now=late)
    assert approvals.expire(approval, late).state is ApprovalState.EXPIRED
    with pytest.raises(ConflictError):
        approvals.vote(open_one(), REVIEWERS[0], approve=True, reason="", digest=DIGEST, now=late)


def test_what_runs_must_be_what_was_approved() -> None:
    with pytest.raises(ConflictError) as caught:
        approvals.begin(approve(open_one(), REVIEWERS[0]), digest="e" * 64, now=NOW)
    assert caught.value.code == "digest_differs"


def test_a_denial_needs_a_reason_and_closes() -> None:
    with pytest.raises(InvalidInputError):
        approvals.vote(open_one(), REVIEWERS[0], approve=False, reason=" ", digest=DIGEST, now=NOW)
    denied = approvals.vote(
        open_one(quorum=2), REVIEWERS[0], approve=False, reason="no", digest=DIGEST, now=NOW
    )
    assert denied.state is ApprovalState.DENIED
    with pytest.raises(ConflictError):
        approve(denied, REVIEWERS[1])


def test_after_a_crash_an_execution_is_never_repeated() -> None:
    executing = approvals.begin(approve(open_one(), REVIEWERS[0]), digest=DIGEST, now=NOW)
    restored = approvals.restore(executing)
    assert restored.state is ApprovalState.OUTCOME_UNKNOWN
    with pytest.raises(ConflictError):
        approvals.begin(restored, digest=DIGEST, now=NOW)


@pytest.mark.parametrize(
    "other",
    [
        {"command": "UPDATE t SET a = 1 WHERE id = 2 "},
        {"connection": "other"},
        {"session": "s_2"},
        {"parameters": (2, 1)},
        {"parameters": (1, 2.0)},
        {"parameters": ("1", 2)},
    ],
)
def test_any_difference_changes_the_digest(other: dict[str, object]) -> None:
    action = Action("a", "s_1", "warehouse", "UPDATE t SET a = 1 WHERE id = 2", (1, 2))

    def digest(one: Action, policy: str = "p", privileges: tuple[str, ...] = ("x",)) -> str:
        return approvals.approval_digest(
            one,
            Principal(REQUESTER, one.session),
            privileges=privileges,
            policy_digest=policy,
            nonce="n",
        )

    assert digest(action) == digest(replace(action))
    assert digest(action) != digest(replace(action, **other))  # type: ignore[arg-type]
    assert digest(action) != digest(action, policy="q")
    assert digest(action) != digest(action, privileges=("y",))


class ApprovalLife(RuleBasedStateMachine):
    """Any order of steps: at most one execution, never without the consent that was asked."""

    @initialize(quorum=integers(1, 3))
    def start(self, quorum: int) -> None:
        self.approval = open_one(quorum)
        self.quorum = quorum
        self.now = NOW
        self.executions = 0
        self.consents: set[str] = set()
        self.denied = False

    @rule(human=sampled_from([REQUESTER, STRANGER, *REVIEWERS]), yes=booleans(), right=booleans())
    def vote(self, human: Human, yes: bool, right: bool) -> None:  # noqa: FBT001
        digest = DIGEST if right else "e" * 64
        try:
            self.approval = approvals.vote(
                self.approval, human, approve=yes, reason="why", digest=digest, now=self.now
            )
        except ZTError:
            return
        assert human in REVIEWERS
        assert right
        if yes:
            self.consents.add(human.subject)
        else:
            self.denied = True

    @rule(seconds=integers(0, 200))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.approval = approvals.expire(self.approval, self.now)

    @rule()
    def cancel(self) -> None:
        self.approval = approvals.cancel(self.approval)

    @rule()
    def crash(self) -> None:
        self.approval = approvals.restore(self.approval)

    @rule(right=booleans())
    def begin(self, right: bool) -> None:  # noqa: FBT001
        try:
            self.approval = approvals.begin(
                self.approval, digest=DIGEST if right else "e" * 64, now=self.now
            )
        except ConflictError:
            return
        assert right
        self.executions += 1

    @precondition(lambda self: self.approval.state is ApprovalState.EXECUTING)
    @rule(known=booleans())
    def finish(self, known: bool) -> None:  # noqa: FBT001
        self.approval = approvals.finish(self.approval, outcome_known=known)

    @invariant()
    def never_without_consent(self) -> None:
        if not hasattr(self, "approval"):
            return
        assert self.executions <= 1
        if self.executions:
            assert len(self.consents) >= self.quorum
            assert not self.denied


TestApprovalLife = ApprovalLife.TestCase
TestApprovalLife.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
