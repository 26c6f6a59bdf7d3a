-- Without the options: those may hold secrets (ldapbindpasswd).
SELECT concat_ws(' ', type, array_to_string(database, ','), array_to_string(user_name, ','), address, netmask, auth_method) AS rule,
       error, line_number AS line
FROM pg_catalog.pg_hba_file_rules ORDER BY line_number
