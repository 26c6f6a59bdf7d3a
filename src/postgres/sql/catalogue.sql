-- Everything a move must carry: one query a kind, each giving id and value, both text. Read by verify/catalogue.rs, which
-- cuts it at the "kind" lines and fills in, with L the older major of the two sides:
--   {acl; list; type; owner}  the privileges in words, the type's default ones where the list is null
--   {changed; list; initial list; type; owner}  what was granted (+) and revoked (-) since
--   {since N; text}           text, where L >= N: what an older server has not is left out on both sides
--   {def; expression}         a deparsed definition, without qualifiers where the majors differ (they are deparsed differently)
--   {locale}                  the column of pg_collation that holds the locale on this side
-- The session has search_path = pg_catalog, so that every name of ours is printed with its schema.

-- kind: role
SELECT rolname::text AS id,
       format('superuser=%s inherit=%s createrole=%s createdb=%s login=%s replication=%s bypassrls=%s limit=%s until=%s',
              rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit, nullif(rolvaliduntil, 'infinity')) AS value
FROM pg_authid WHERE rolname !~ '^pg_'

-- kind: role password
-- Never shown: verify/catalogue.rs tells the kind of the verifier and whether the two are equal.
SELECT rolname::text AS id, coalesce(rolpassword, 'none') AS value FROM pg_authid WHERE rolname !~ '^pg_'

-- kind: role comment
SELECT rolname::text AS id, shobj_description(oid, 'pg_authid') AS value
FROM pg_authid WHERE shobj_description(oid, 'pg_authid') IS NOT NULL AND rolname !~ '^pg_'

-- kind: membership
-- What the memberships amount to: the same one may be granted twice, by different grantors (since 16).
SELECT roleid::regrole||' <- '||member::regrole AS id,
       format('admin=%s{since 16;  inherit=%s set=%s}', bool_or(admin_option){since 16; , bool_or(inherit_option), bool_or(set_option)}) AS value
FROM pg_auth_members WHERE member::regrole::text !~ '^pg_' GROUP BY roleid, member

-- kind: setting
SELECT coalesce(d.datname, '*')||' / '||coalesce(nullif(setrole::regrole::text, '-'), '*')||' / '||split_part(c, '=', 1) AS id,
       substr(c, strpos(c, '=') + 1) AS value
FROM pg_db_role_setting LEFT JOIN pg_database d ON d.oid = setdatabase, unnest(setconfig) c
WHERE setdatabase = 0 OR d.datname = current_database()

-- kind: database
SELECT datname::text AS id, format('owner=%s encoding=%s collate=%s ctype=%s limit=%s acl=%s{since 15;  provider=%s}', datdba::regrole,
       pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit, {acl; datacl; 'd'; datdba}{since 15; , datlocprovider}) AS value
FROM pg_database WHERE datname = current_database()

-- kind: database comment
SELECT datname::text AS id, shobj_description(oid, 'pg_database') AS value
FROM pg_database WHERE datname = current_database() AND shobj_description(oid, 'pg_database') IS NOT NULL

-- kind: cluster
SELECT 'data_checksums' AS id, current_setting('data_checksums') AS value

-- kind: extension
SELECT extname::text AS id, format('schema=%s owner=%s version=%s', extnamespace::regnamespace, extowner::regrole, extversion) AS value
FROM pg_extension

-- kind: schema
SELECT nspname::text AS id, format('owner=%s acl=%s', nspowner::regrole, {acl; nspacl; 'n'; nspowner}) AS value
FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)' AND nspname NOT IN ('pg_catalog', 'information_schema')

-- kind: relation
SELECT c.oid::regclass::text AS id,
       format('kind=%s persistence=%s owner=%s rls=%s force=%s identity=%s options=%s tablespace=%s populated=%s acl=%s', relkind, relpersistence,
              relowner::regrole, relrowsecurity, relforcerowsecurity, relreplident, (SELECT array_agg(x ORDER BY x) FROM unnest(reloptions) x),
              (SELECT spcname FROM pg_tablespace WHERE oid = reltablespace), relispopulated,
              {acl; relacl; CASE relkind WHEN 'S' THEN 's' ELSE 'r' END; relowner}) AS value
FROM pg_class c WHERE relkind IN ('r','p','v','m','f','S') AND {ours; relnamespace} AND {no member; pg_class; c.oid}

-- Positions are counted without the columns that were dropped: a restored table has none of those. A child's own columns
-- stand behind all its parents' after a restore: where they stood before is not kept by any dump.
-- kind: column
SELECT attrelid::regclass||'.'||quote_ident(attname) AS id,
       format('%s %s notnull=%s identity=%s generated=%s collation=%s statistics=%s storage=%s default=%s acl=%s{since 14;  compression=%s}',
              CASE WHEN NOT relispartition AND EXISTS (SELECT FROM pg_inherits WHERE inhrelid = attrelid) THEN 'inherits'
                   ELSE 'position='||row_number() OVER (PARTITION BY attrelid ORDER BY attnum) END,
              format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, nullif(attcollation, 0)::regcollation,
              nullif(attstattarget, -1), attstorage, {def; pg_get_expr(adbin, adrelid)},
              (SELECT string_agg(coalesce(nullif(grantee::regrole::text, '-'), 'PUBLIC')||'='||privilege_type||CASE WHEN is_grantable THEN '*' ELSE '' END||'/'||grantor::regrole,
                                 ',' ORDER BY grantee::regrole::text, privilege_type, grantor::regrole::text) FROM aclexplode(attacl)){since 14; , attcompression}) AS value
FROM pg_attribute JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r','p','v','m','f') AND {ours; relnamespace} AND {no member; pg_class; c.oid}

-- kind: inheritance
SELECT inhrelid::regclass||' of '||inhparent::regclass AS id, inhseqno||' '||coalesce(pg_get_expr(c.relpartbound, c.oid), '') AS value
FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE {ours; c.relnamespace} AND relkind IN ('r','p','f')

-- kind: partitioning
SELECT partrelid::regclass::text AS id, pg_get_partkeydef(partrelid) AS value FROM pg_partitioned_table

-- kind: index
SELECT i.indexrelid::regclass::text AS id,
       {def; pg_get_indexdef(i.indexrelid)}||format(' valid=%s clustered=%s identity=%s', indisvalid, indisclustered, indisreplident) AS value
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE {ours; c.relnamespace} AND {no member; pg_class; i.indrelid}

-- kind: constraint
SELECT coalesce(nullif(conrelid, 0)::regclass::text, contypid::regtype::text)||'.'||quote_ident(conname) AS id,
       {def; pg_get_constraintdef(c.oid)}||' validated='||convalidated AS value
FROM pg_constraint c WHERE contype <> 'n' AND contype <> 't' AND {ours; connamespace} AND {no member; pg_class; conrelid}

-- kind: trigger
SELECT tgrelid::regclass||'.'||quote_ident(tgname) AS id, tgenabled::text||' '||{def; pg_get_triggerdef(t.oid)} AS value
FROM pg_trigger t WHERE NOT tgisinternal

-- kind: foreign key trigger
SELECT tgrelid::regclass||'.'||(SELECT quote_ident(conname) FROM pg_constraint WHERE oid = tgconstraint)||'.'||tgfoid::regproc AS id, tgenabled::text AS value
FROM pg_trigger WHERE tgisinternal AND tgenabled <> 'O'

-- kind: rule
SELECT ev_class::regclass||'.'||quote_ident(rulename) AS id, ev_enabled::text||' '||{def; regexp_replace(pg_get_ruledef(r.oid), '\s+', ' ', 'g')} AS value
FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class WHERE {ours; relnamespace} AND {no member; pg_class; c.oid}

-- kind: policy
SELECT polrelid::regclass||'.'||quote_ident(polname) AS id,
       format('%s permissive=%s roles=%s using=%s check=%s', polcmd, polpermissive,
              (SELECT array_agg(coalesce(nullif(r::regrole::text, '-'), 'PUBLIC') ORDER BY r::regrole::text) FROM unnest(polroles) r),
              {def; pg_get_expr(polqual, polrelid)}, {def; pg_get_expr(polwithcheck, polrelid)}) AS value
FROM pg_policy

-- kind: sequence
SELECT seqrelid::regclass::text AS id, format('start=%s increment=%s max=%s min=%s cache=%s cycle=%s type=%s owned by=%s', seqstart, seqincrement, seqmax, seqmin,
       seqcache, seqcycle, seqtypid::regtype, (SELECT refobjid::regclass||'.'||refobjsubid||deptype::text FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = seqrelid AND deptype IN ('a','i'))) AS value
FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid WHERE {ours; relnamespace} AND {no member; pg_class; seqrelid}

-- kind: function
SELECT p.oid::regprocedure::text AS id, format('owner=%s definer=%s settings=%s definition=%s acl=%s', proowner::regrole, prosecdef, proconfig,
       left(md5({def; pg_get_functiondef(p.oid)}), 12), {acl; proacl; 'f'; proowner}) AS value
FROM pg_proc p WHERE prokind <> 'a' AND {ours; pronamespace} AND {no member; pg_proc; p.oid}

-- kind: aggregate
SELECT p.oid::regprocedure::text AS id, format('owner=%s transition=%s final=%s initial=%s acl=%s', proowner::regrole, aggtransfn, aggfinalfn, agginitval, {acl; proacl; 'f'; proowner}) AS value
FROM pg_proc p JOIN pg_aggregate ON aggfnoid = p.oid WHERE {ours; pronamespace} AND {no member; pg_proc; p.oid}

-- kind: type
SELECT t.oid::regtype::text AS id, format('owner=%s kind=%s base=%s notnull=%s default=%s labels=%s acl=%s', typowner::regrole, typtype, nullif(typbasetype, 0)::regtype, typnotnull, typdefault,
       (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid), {acl; typacl; 'T'; typowner}) AS value
FROM pg_type t WHERE typtype IN ('d','e','c','r','b') AND typelem = 0 AND (typrelid = 0 OR (SELECT relkind FROM pg_class WHERE oid = typrelid) = 'c')
  AND {ours; typnamespace} AND {no member; pg_type; t.oid}

-- kind: composite type column
SELECT attrelid::regclass||'.'||quote_ident(attname) AS id,
       row_number() OVER (PARTITION BY attrelid ORDER BY attnum)||' '||format_type(atttypid, atttypmod) AS value
FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relkind = 'c' AND attnum > 0 AND NOT attisdropped AND {ours; relnamespace} AND {no member; pg_class; c.oid}

-- kind: operator
SELECT o.oid::regoperator::text AS id, format('owner=%s procedure=%s', oprowner::regrole, oprcode) AS value
FROM pg_operator o WHERE {ours; oprnamespace} AND {no member; pg_operator; o.oid}

-- kind: operator class
SELECT opcnamespace::regnamespace||'.'||quote_ident(opcname)||' '||amname AS id, format('owner=%s type=%s default=%s', opcowner::regrole, opcintype::regtype, opcdefault) AS value
FROM pg_opclass o JOIN pg_am a ON a.oid = opcmethod WHERE {ours; opcnamespace} AND {no member; pg_opclass; o.oid}

-- kind: cast
SELECT castsource::regtype||' -> '||casttarget::regtype AS id, format('%s %s %s', castcontext, castmethod, nullif(castfunc, 0)::regprocedure) AS value
FROM pg_cast c WHERE c.oid >= 16384 AND {no member; pg_cast; c.oid}

-- kind: collation
SELECT c.oid::regcollation::text AS id, format('owner=%s provider=%s locale=%s deterministic=%s', collowner::regrole, collprovider, {locale}, collisdeterministic) AS value
FROM pg_collation c WHERE {ours; collnamespace} AND {no member; pg_collation; c.oid}

-- kind: text search configuration
SELECT t.oid::regconfig::text AS id, format('owner=%s parser=%s maps=%s', cfgowner::regrole, (SELECT prsname FROM pg_ts_parser WHERE oid = cfgparser),
       (SELECT string_agg(maptokentype||':'||mapdict::regdictionary, ',' ORDER BY maptokentype, mapseqno) FROM pg_ts_config_map WHERE mapcfg = t.oid)) AS value
FROM pg_ts_config t WHERE {ours; cfgnamespace} AND {no member; pg_ts_config; t.oid}

-- kind: text search dictionary
SELECT d.oid::regdictionary::text AS id, format('owner=%s options=%s', dictowner::regrole, dictinitoption) AS value
FROM pg_ts_dict d WHERE {ours; dictnamespace} AND {no member; pg_ts_dict; d.oid}

-- kind: statistics
SELECT stxnamespace::regnamespace||'.'||quote_ident(stxname) AS id, {def; pg_get_statisticsobjdef(s.oid)}||' owner='||stxowner::regrole AS value
FROM pg_statistic_ext s

-- kind: default privileges
SELECT coalesce(nullif(defaclnamespace, 0)::regnamespace::text, '*')||' '||defaclrole::regrole||' '||defaclobjtype::text AS id,
       {acl; defaclacl; 'r'; defaclrole} AS value
FROM pg_default_acl

-- kind: publication
SELECT pubname::text AS id, format('owner=%s all=%s insert=%s update=%s delete=%s truncate=%s root=%s tables=%s{since 15;  schemas=%s}', pubowner::regrole, puballtables, pubinsert, pubupdate,
       pubdelete, pubtruncate, pubviaroot,
       (SELECT array_agg(prrelid::regclass||{since 15; coalesce(' where '||pg_get_expr(prqual, prrelid), '')||coalesce(' columns '||prattrs::text, '')||}'' ORDER BY prrelid::regclass::text)
        FROM pg_publication_rel WHERE prpubid = p.oid){since 15; , (SELECT array_agg(pnnspid::regnamespace::text ORDER BY pnnspid::regnamespace::text) FROM pg_publication_namespace WHERE pnpubid = p.oid)}) AS value
FROM pg_publication p

-- kind: subscription
SELECT subname::text AS id, format('owner=%s enabled=%s', subowner::regrole, subenabled) AS value
FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())

-- kind: event trigger
SELECT evtname::text AS id, format('owner=%s event=%s enabled=%s function=%s tags=%s', evtowner::regrole, evtevent, evtenabled, evtfoid::regproc, evttags) AS value
FROM pg_event_trigger e WHERE {no member; pg_event_trigger; e.oid}

-- kind: large object
SELECT oid::text AS id, format('owner=%s acl=%s content=%s', lomowner::regrole, {acl; lomacl; 'L'; lomowner}, md5(lo_get(oid))) AS value
FROM pg_largeobject_metadata

-- kind: foreign server
SELECT srvname::text AS id, format('owner=%s wrapper=%s options=%s acl=%s', srvowner::regrole, (SELECT fdwname FROM pg_foreign_data_wrapper WHERE oid = srvfdw),
       (SELECT array_agg(split_part(x, '=', 1)||'='||left(md5(x), 12) ORDER BY x) FROM unnest(srvoptions) x), {acl; srvacl; 'S'; srvowner}) AS value
FROM pg_foreign_server

-- kind: user mapping
-- The options hold passwords: only a short digest of them is compared.
SELECT srvname||' '||usename AS id, 'options='||left(md5((SELECT array_agg(x ORDER BY x) FROM unnest(umoptions) x)::text), 6) AS value
FROM pg_user_mappings

-- kind: foreign table
SELECT ftrelid::regclass::text AS id, format('server=%s options=%s', (SELECT srvname FROM pg_foreign_server WHERE oid = ftserver), (SELECT array_agg(x ORDER BY x) FROM unnest(ftoptions) x)) AS value
FROM pg_foreign_table f WHERE {no member; pg_class; ftrelid}

-- kind: foreign data wrapper
SELECT fdwname::text AS id, format('owner=%s acl=%s', fdwowner::regrole, {acl; fdwacl; 'F'; fdwowner}) AS value FROM pg_foreign_data_wrapper

-- kind: language
SELECT lanname::text AS id, format('owner=%s trusted=%s acl=%s', lanowner::regrole, lanpltrusted, {acl; lanacl; 'l'; lanowner}) AS value FROM pg_language

-- kind: comment
SELECT classoid::regclass||' '||o.identity AS id, description AS value
FROM pg_description d, pg_identify_object(classoid, objoid, objsubid) o
WHERE objoid >= 16384 AND classoid <> 'pg_extension'::regclass AND {no member; d.classoid; d.objoid}

-- kind: security label
SELECT o.identity AS id, provider||': '||label AS value FROM pg_seclabel s, pg_identify_object(classoid, objoid, objsubid) o

-- kind: catalogue privileges
-- What somebody has granted (+) or revoked (-) on PostgreSQL's own functions and relations since initdb.
SELECT 'function '||p.oid::regprocedure AS id, {changed; proacl; i.initprivs; 'f'; proowner} AS value
FROM pg_proc p LEFT JOIN pg_init_privs i ON i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid
WHERE p.oid < 16384 AND proacl IS NOT NULL AND proacl IS DISTINCT FROM i.initprivs
UNION ALL
SELECT 'relation '||c.oid::regclass, {changed; relacl; i.initprivs; 'r'; relowner}
FROM pg_class c LEFT JOIN pg_init_privs i ON i.classoid = 'pg_class'::regclass AND i.objoid = c.oid AND i.objsubid = 0
WHERE c.oid < 16384 AND relacl IS NOT NULL AND relacl IS DISTINCT FROM i.initprivs

-- kind: extension member privileges
SELECT p.oid::regprocedure::text AS id, {changed; proacl; i.initprivs; 'f'; proowner} AS value
FROM pg_proc p JOIN pg_depend m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid AND m.deptype = 'e'
LEFT JOIN pg_init_privs i ON i.classoid = m.classid AND i.objoid = p.oid
WHERE proacl IS NOT NULL AND proacl IS DISTINCT FROM i.initprivs
