#!/bin/sh
# The window by hand, as the guides have it, on a target that streams already; every wait looks once a second.
# $NAMESPACE: where the migration is. The owner's login is in the Secret that the target was made with.
set -eu

apps='mastodon-web mastodon-streaming mastodon-sidekiq-default mastodon-sidekiq-federation mastodon-sidekiq-background mastodon-sidekiq-scheduler'
labels='app in (mastodon-web,mastodon-streaming,mastodon-sidekiq-default,mastodon-sidekiq-federation,mastodon-sidekiq-background,mastodon-sidekiq-scheduler)'

k() { kubectl -n "$NAMESPACE" "$@"; }
ask() { k exec "$1" -c postgres -- psql -U postgres -XAtqc "$2"; }
wait_until() { until "$@"; do sleep 1; done; }

stopped() { [ -z "$(k get pods -l "$labels" -o name)" ]; }
caught_up() { [ "$(ask database-cnpg-1 "SELECT pg_last_wal_replay_lsn() >= '$position'")" = t ]; }
promoted() {
    [ "$(ask database-cnpg-1 'SELECT NOT pg_is_in_recovery()')" = t ] &&
        [ "$(k get cluster database-cnpg -o jsonpath='{.status.conditions[?(@.type=="Ready")].status} {.status.phase}')" = 'True Cluster in healthy state' ]
}

k patch cronjob mastodon-media-cleanup --type merge -p '{"spec":{"suspend":true}}'
# Word splitting is wanted: one call for all of them.
k scale deployment $apps --replicas=0
wait_until stopped

position=$(ask mastodon-postgresql-0 'SELECT pg_current_wal_lsn()')
wait_until caught_up

k patch cluster database-cnpg --type merge -p '{"spec":{"replica":{"enabled":false}}}'
wait_until promoted

# Through standard input: a password has no place in an argument.
k get secret database-cnpg-owner \
    -o go-template='{"data":{"DB_USER":"{{.data.username}}","DB_PASS":"{{.data.password}}"}}' |
    k patch secret mastodon-db-url --type merge --patch-file /dev/stdin
k patch configmap mastodon-database --type merge -p '{"data":{"DB_HOST":"database-cnpg-rw"}}'

k scale deployment $apps --replicas=1
k scale deployment mastodon-web --replicas=2
for app in $apps; do
    k rollout status deployment "$app"
done
k patch cronjob mastodon-media-cleanup --type merge -p '{"spec":{"suspend":false}}'
