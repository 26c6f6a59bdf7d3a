-- Through the network only: Patroni's own session comes by the local socket and returns at once.
SELECT count(*) AS found, count(*) FILTER (WHERE ended) AS ended
FROM (SELECT pg_terminate_backend(pid) AS ended FROM pg_catalog.pg_stat_activity
      WHERE backend_type = 'client backend' AND client_addr IS NOT NULL AND pid <> pg_backend_pid()
        AND usename IS DISTINCT FROM $1 OFFSET 0) s
