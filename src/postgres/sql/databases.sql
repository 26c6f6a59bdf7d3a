SELECT datname AS name, pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding,
       datcollate AS "collate", datctype AS ctype, datconnlimit AS connection_limit,
       pg_database_size(oid) AS size
FROM pg_catalog.pg_database
WHERE datallowconn AND NOT datistemplate
ORDER BY datname
