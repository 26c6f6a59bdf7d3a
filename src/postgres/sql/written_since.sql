SELECT relid::regclass::text AS name, n_tup_ins AS ins, n_tup_upd AS upd, n_tup_del AS del
FROM pg_catalog.pg_stat_user_tables
WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
ORDER BY 1
