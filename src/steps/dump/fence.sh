# Arguments: the rules. Keeps a copy of both files first, once: a second run must not keep the fence as the original.
# postgres.yml holds passwords: it never leaves the pod, and its copies are readable by their owner only.
set -eu
umask 077
home="$PGDATA/../../.."
yml="$home/postgres.yml"
keep() {
    [ -e "$2" ] && return 0
    cat "$1" > "$2.part"
    mv "$2.part" "$2"
}
keep "$yml" "$yml.pgmigrate"
keep "$PGDATA/pg_hba.conf" "$home/pg_hba.pgmigrate"
RULES=$(printf "  - '%s'\n" "$@")
export RULES
# The list's items stand at its key's own depth, their continuation lines deeper.
awk '
    /^[^ #]/ { section = $1 }
    section == "postgresql:" && /^  pg_hba:/ { print "  pg_hba:"; print ENVIRON["RULES"]; list = 1; found = 1; next }
    list && /^(  -|   )/ { next }
    { list = 0; print }
    END { exit !found }
' "$yml.pgmigrate" > "$yml.new" || { rm -f "$yml.new"; echo "no postgresql.pg_hba in $yml" >&2; exit 3; }
# In place: it may be a link, and its owner and mode stay.
cat "$yml.new" > "$yml"
rm -f "$yml.new"
printf '%s\n' "$@" > "$PGDATA/pg_hba.conf"
