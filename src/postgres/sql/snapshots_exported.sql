-- The snapshots that this session has exported, as the server keeps them for others to join (snapmgr.c, ExportSnapshot).
SELECT id, state FROM pg_ls_dir('pg_snapshots') AS id, pg_read_file('pg_snapshots/'||id, 0, 100000, true) AS state
WHERE state LIKE '%'||chr(10)||'pid:'||pg_backend_pid()||chr(10)||'%'
