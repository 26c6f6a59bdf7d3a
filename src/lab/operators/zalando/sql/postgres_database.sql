-- What Spilo's post_init leaves in the database postgres only: the server's log as foreign tables.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS file_fdw SCHEMA public;
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_foreign_server WHERE srvname = 'pglog') THEN
    CREATE SERVER pglog FOREIGN DATA WRAPPER file_fdw;
  END IF;
END $$;
CREATE TABLE IF NOT EXISTS public.postgres_log (
  log_time timestamp(3) with time zone, user_name text, database_name text, process_id integer, connection_from text,
  session_id text NOT NULL, session_line_num bigint NOT NULL, command_tag text, session_start_time timestamp with time zone,
  virtual_transaction_id text, transaction_id bigint, error_severity text, sql_state_code text, message text, detail text,
  hint text, internal_query text, internal_query_pos integer, context text, query text, query_pos integer, location text,
  application_name text, backend_type text, leader_pid integer, query_id bigint,
  CONSTRAINT postgres_log_check CHECK (false) NO INHERIT);
GRANT SELECT ON public.postgres_log TO admin;
DO $$
BEGIN
  FOR n IN 0..7 LOOP
    EXECUTE format('CREATE FOREIGN TABLE IF NOT EXISTS public.postgres_log_%s () INHERITS (public.postgres_log) '
      'SERVER pglog OPTIONS (filename %L, format ''csv'', header ''false'')', n, format('../pg_log/postgresql-%s.csv', n));
    EXECUTE format('GRANT SELECT ON public.postgres_log_%s TO admin', n);
  END LOOP;
END $$;
CREATE OR REPLACE VIEW public.failed_authentication_log WITH (security_barrier) AS
  SELECT * FROM public.postgres_log WHERE command_tag = 'authentication' AND error_severity = 'FATAL';
GRANT SELECT ON public.failed_authentication_log TO robot_zmon;
