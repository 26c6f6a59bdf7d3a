SELECT oid::int8 AS id, pg_get_userbyid(lomowner) AS owner FROM pg_catalog.pg_largeobject_metadata
