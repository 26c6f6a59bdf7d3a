-- Who else is at work at the source, and how far behind the last of its standbys is.
SELECT (SELECT count(*) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND state = 'active' AND application_name <> 'pgmigrate') AS active,
       (SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0)::bigint
        FROM pg_stat_replication WHERE replay_lsn IS NOT NULL) AS lag
