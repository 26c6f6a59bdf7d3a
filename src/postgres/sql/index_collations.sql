-- Collations that indexes sort by, with the version of the library that they were made with (recorded) and of the one
-- that is there (actual). Locale C has none. {default}: an expression for the version that the database's own one has.
SELECT u.id::oid::text AS id,
       CASE WHEN c.collprovider = 'd' THEN 'the default of '||quote_ident(d.datname) ELSE u.id::regcollation::text END AS name,
       c.collprovider = 'd' AS "default",
       CASE WHEN c.collprovider = 'd' THEN coalesce(to_jsonb(d)->>'datlocprovider', 'c') ELSE c.collprovider::text END AS provider,
       CASE WHEN c.collprovider = 'd' THEN to_jsonb(d)->>'datcollversion' ELSE c.collversion END AS recorded,
       CASE WHEN c.collprovider = 'd' THEN {default} ELSE pg_collation_actual_version(c.oid) END AS actual,
       CASE WHEN c.collprovider = 'd' THEN d.datcollate ELSE to_jsonb(c)->>'collcollate' END !~* '^(C|POSIX)($|\.)' AS versioned
FROM (SELECT DISTINCT unnest(indcollation) AS id FROM pg_index) u
JOIN pg_collation c ON c.oid = u.id
JOIN pg_database d ON d.datname = current_database()
