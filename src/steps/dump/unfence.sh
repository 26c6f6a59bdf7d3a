# Where a copy is missing, the container was started anew and Spilo has made its own files again.
set -eu
home="$PGDATA/../../.."
if [ -e "$home/postgres.yml.pgmigrate" ]; then cat "$home/postgres.yml.pgmigrate" > "$home/postgres.yml"; fi
if [ -e "$home/pg_hba.pgmigrate" ]; then cat "$home/pg_hba.pgmigrate" > "$PGDATA/pg_hba.conf"; fi
