SELECT rolname AS name, coalesce(rolpassword, '') AS verifier FROM pg_catalog.pg_authid WHERE rolname !~ '^pg_'
