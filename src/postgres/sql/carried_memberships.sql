-- From 16 on each membership has options of its own; before, the member's own INHERIT decides.
SELECT r.rolname AS role, m.rolname AS member, bool_or(a.admin_option) AS admin,
       bool_or(coalesce((to_jsonb(a)->>'inherit_option')::boolean, m.rolinherit)) AS inherit,
       bool_or(coalesce((to_jsonb(a)->>'set_option')::boolean, true)) AS "set"
FROM pg_catalog.pg_auth_members a
JOIN pg_catalog.pg_roles r ON r.oid = a.roleid
JOIN pg_catalog.pg_roles m ON m.oid = a.member
WHERE m.rolname !~ '^pg_'
GROUP BY r.rolname, m.rolname
