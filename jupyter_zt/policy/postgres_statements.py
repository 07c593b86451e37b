"""What each kind of PostgreSQL statement does: its verb and the risks that come with it.

One row for every statement node of PostgreSQL 18's parser. A node that is not in the table is
unknown, and unknown is denied. `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `MERGE` and `EXPLAIN` are
analysed in depth elsewhere; here stand the others.
"""

from __future__ import annotations

from jupyter_zt.model import Risk, Verb

__all__ = ["SEVERITY", "STATEMENTS"]

_NONE: frozenset[Risk] = frozenset()
_DESTRUCTIVE = frozenset({Risk.DESTRUCTIVE})
_PRIVILEGE = frozenset({Risk.PRIVILEGE})
_CODE = frozenset({Risk.CODE_EXECUTION})
_OUT = frozenset({Risk.EXFILTRATION})
_LOCK = frozenset({Risk.LOCK})
_SIDE_EFFECT = frozenset({Risk.SIDE_EFFECT})

_DDL = [
    "AlterCollationStmt",
    "AlterDatabaseRefreshCollStmt",
    "AlterDomainStmt",
    "AlterEnumStmt",
    "AlterObjectDependsStmt",
    "AlterOpFamilyStmt",
    "AlterOperatorStmt",
    "AlterSeqStmt",
    "AlterStatsStmt",
    "AlterTSConfigurationStmt",
    "AlterTSDictionaryStmt",
    "AlterTableMoveAllStmt",
    "AlterTableSpaceOptionsStmt",
    "AlterTypeStmt",
    "CommentStmt",
    "CompositeTypeStmt",
    "CreateAmStmt",
    "CreateCastStmt",
    "CreateConversionStmt",
    "CreateDomainStmt",
    "CreateEnumStmt",
    "CreateOpClassStmt",
    "CreateOpFamilyStmt",
    "CreateRangeStmt",
    "CreateSchemaStmt",
    "CreateSeqStmt",
    "CreateStatsStmt",
    "CreateStmt",
    "CreateTableAsStmt",
    "CreateTableSpaceStmt",
    "CreateTransformStmt",
    "CreatedbStmt",
    "DefineStmt",
    "IndexStmt",
    "RefreshMatViewStmt",
    "RenameStmt",
    "ReplicaIdentityStmt",
    "ViewStmt",
    "AlterObjectSchemaStmt",
    "AlterDatabaseStmt",
    "AlterDatabaseSetStmt",
]
_DDL_DESTRUCTIVE = [
    "AlterTableStmt",
    "DropStmt",
    "DropSubscriptionStmt",
    "DropTableSpaceStmt",
    "DropUserMappingStmt",
    "DropdbStmt",
    "DropOwnedStmt",
]
_DDL_PRIVILEGE = [
    "AlterOwnerStmt",
    "AlterPolicyStmt",
    "CreatePolicyStmt",
    "AlterRoleSetStmt",
    "AlterRoleStmt",
    "CreateRoleStmt",
    "DropRoleStmt",
    "ReassignOwnedStmt",
    "SecLabelStmt",
]
_DDL_CODE = [
    "AlterEventTrigStmt",
    "AlterExtensionContentsStmt",
    "AlterExtensionStmt",
    "AlterFunctionStmt",
    "CreateEventTrigStmt",
    "CreateExtensionStmt",
    "CreateFunctionStmt",
    "CreatePLangStmt",
    "CreateTrigStmt",
    "RuleStmt",
]
_DDL_OUT = [
    "AlterFdwStmt",
    "AlterForeignServerStmt",
    "AlterPublicationStmt",
    "AlterSubscriptionStmt",
    "AlterUserMappingStmt",
    "CreateFdwStmt",
    "CreateForeignServerStmt",
    "CreateForeignTableStmt",
    "CreatePublicationStmt",
    "CreateSubscriptionStmt",
    "CreateUserMappingStmt",
    "ImportForeignSchemaStmt",
]

STATEMENTS: dict[str, tuple[Verb, frozenset[Risk]]] = {
    **dict.fromkeys(_DDL, (Verb.DDL, _NONE)),
    **dict.fromkeys(_DDL_DESTRUCTIVE, (Verb.DDL, _DESTRUCTIVE)),
    **dict.fromkeys(_DDL_PRIVILEGE, (Verb.DDL, _PRIVILEGE)),
    **dict.fromkeys(_DDL_CODE, (Verb.DDL, _CODE)),
    **dict.fromkeys(_DDL_OUT, (Verb.DDL, _OUT)),
    "TruncateStmt": (Verb.TRUNCATE, _DESTRUCTIVE),
    "GrantStmt": (Verb.GRANT, _PRIVILEGE),
    "GrantRoleStmt": (Verb.GRANT, _PRIVILEGE),
    "AlterDefaultPrivilegesStmt": (Verb.GRANT, _PRIVILEGE),
    "CallStmt": (Verb.CALL, _CODE),
    "DoStmt": (Verb.CALL, _CODE),
    "ExecuteStmt": (Verb.CALL, _CODE),
    "LoadStmt": (Verb.CALL, _CODE),
    "CopyStmt": (Verb.COPY, _OUT),
    "VariableSetStmt": (Verb.SET, _SIDE_EFFECT),
    "ConstraintsSetStmt": (Verb.SET, _SIDE_EFFECT),
    "AlterSystemStmt": (Verb.SET, _PRIVILEGE),
    "DiscardStmt": (Verb.SET, _SIDE_EFFECT),
    "VariableShowStmt": (Verb.SHOW, _NONE),
    "TransactionStmt": (Verb.TRANSACTION, _SIDE_EFFECT),
    "LockStmt": (Verb.UTILITY, _LOCK),
    "ClusterStmt": (Verb.UTILITY, _LOCK),
    "ReindexStmt": (Verb.UTILITY, _LOCK),
    "VacuumStmt": (Verb.UTILITY, _LOCK),
    "CheckPointStmt": (Verb.UTILITY, _SIDE_EFFECT),
    "PrepareStmt": (Verb.UTILITY, _SIDE_EFFECT),
    "DeallocateStmt": (Verb.UTILITY, _SIDE_EFFECT),
    "DeclareCursorStmt": (Verb.UTILITY, _SIDE_EFFECT),
    "FetchStmt": (Verb.UTILITY, _SIDE_EFFECT),
    "ClosePortalStmt": (Verb.UTILITY, _SIDE_EFFECT),
    "ListenStmt": (Verb.UTILITY, _SIDE_EFFECT),
    "UnlistenStmt": (Verb.UTILITY, _SIDE_EFFECT),
    "NotifyStmt": (Verb.UTILITY, _SIDE_EFFECT),
}
"""Statement node -> its verb, and the risks of every statement of that kind."""

SEVERITY = (
    Verb.SELECT, Verb.EXPLAIN, Verb.SHOW, Verb.INSERT, Verb.UPDATE, Verb.MERGE, Verb.DELETE,
    Verb.TRANSACTION, Verb.SET, Verb.UTILITY, Verb.COPY, Verb.CALL, Verb.TRUNCATE, Verb.DDL,
    Verb.GRANT, Verb.UNKNOWN,
)  # fmt: skip
"""Mildest first: a command that does several things carries the verb of the gravest."""
