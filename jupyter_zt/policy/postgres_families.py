"""Families of built-in functions outside the allow-list, by what they can do.

They are refused because they are not listed; this only says what they would have done.
"""

from __future__ import annotations

from jupyter_zt.model import Risk

__all__ = ["risks_of"]

_FAMILIES = (
    (Risk.LOCK, ("pg_advisory_", "pg_try_advisory_")),
    (
        Risk.CODE_EXECUTION,
        ("query_to_", "cursor_to_", "ts_stat", "ts_rewrite", "dblink", "pg_execute_server_program"),
    ),
    (
        Risk.EXFILTRATION,
        ("pg_read_", "pg_ls_", "pg_stat_file", "lo_import", "lo_export", "lo_get", "loread",
         "dblink", "table_to_", "schema_to_", "database_to_", "query_to_", "cursor_to_",
         "pg_logical_slot_", "pg_file_"),
    ),
    (
        Risk.CATALOG,
        ("current_setting", "pg_show_all_settings", "pg_stat_get_", "pg_mcv_list_items",
         "pg_get_replication_slots", "pg_lock_status", "inet_server_", "inet_client_", "currval",
         "lastval", "pg_sequence_last_value", "pg_hba_file_rules", "pg_settings_get_flags",
         "pg_control_", "current_query"),
    ),
    (
        Risk.SIDE_EFFECT,
        ("nextval", "setval", "set_config", "setseed", "pg_notify", "pg_sleep", "pg_terminate_",
         "pg_cancel_", "pg_reload_conf", "pg_rotate_", "pg_switch_wal", "pg_wal_replay_",
         "pg_promote", "pg_create_", "pg_drop_", "pg_copy_", "pg_replication_", "pg_logical_emit_",
         "pg_backup_", "pg_export_snapshot", "pg_import_", "pg_stat_reset", "pg_stat_clear_",
         "pg_stat_force_", "pg_log_", "pg_current_xact_id", "txid_current", "lo_creat", "lo_unlink",
         "lo_put", "lo_from_", "lo_open", "lo_close", "lo_lseek", "lo_tell", "lo_truncate",
         "lo_import", "lo_export", "lowrite", "brin_", "gin_clean_", "binary_upgrade_",
         "pg_advisory_", "pg_try_advisory_", "pg_clear_", "pg_restore_", "pg_sync_"),
    ),
)  # fmt: skip


def risks_of(function: str) -> frozenset[Risk]:
    """Risk classes of a built-in function that is not on the allow-list.

    Args:
        function: Its name, lower case, without schema.
    """
    return frozenset(risk for risk, names in _FAMILIES if function.startswith(names))
