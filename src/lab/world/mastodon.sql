-- The shape of Mastodon's database: seven tables, foreign keys, indexes, sequences. $ROWS$ is replaced by the number of statuses.
CREATE TABLE accounts (
    id bigserial PRIMARY KEY,
    username text NOT NULL,
    domain text,
    display_name text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT '',
    created_at timestamp NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX index_accounts_on_username_and_domain ON accounts (lower(username), coalesce(lower(domain), ''));
CREATE TABLE users (
    id bigserial PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    email text NOT NULL UNIQUE,
    encrypted_password text NOT NULL,
    sign_in_count integer NOT NULL DEFAULT 0,
    created_at timestamp NOT NULL DEFAULT now()
);
CREATE TABLE statuses (
    id bigserial PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    text text NOT NULL DEFAULT '',
    token uuid,
    in_reply_to_id bigint REFERENCES statuses (id) ON DELETE SET NULL,
    visibility integer NOT NULL DEFAULT 0,
    created_at timestamp NOT NULL DEFAULT now()
);
CREATE INDEX index_statuses_on_account_id ON statuses (account_id, id DESC);
CREATE INDEX index_statuses_on_in_reply_to_id ON statuses (in_reply_to_id) WHERE in_reply_to_id IS NOT NULL;
CREATE TABLE follows (
    id bigserial PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    target_account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    UNIQUE (account_id, target_account_id)
);
CREATE TABLE notifications (
    id bigserial PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    from_account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    activity_id bigint NOT NULL,
    activity_type text NOT NULL,
    created_at timestamp NOT NULL DEFAULT now()
);
CREATE INDEX index_notifications_on_account_id ON notifications (account_id, id DESC);
CREATE TABLE media_attachments (
    id bigserial PRIMARY KEY,
    status_id bigint REFERENCES statuses (id) ON DELETE SET NULL,
    account_id bigint REFERENCES accounts (id) ON DELETE SET NULL,
    file_meta jsonb,
    remote_url text NOT NULL DEFAULT '',
    created_at timestamp NOT NULL DEFAULT now()
);
CREATE TABLE mentions (
    id bigserial PRIMARY KEY,
    status_id bigint NOT NULL REFERENCES statuses (id) ON DELETE CASCADE,
    account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    UNIQUE (status_id, account_id)
);

INSERT INTO accounts (username, domain, display_name, note)
SELECT 'user' || n, CASE WHEN n % 5 = 0 THEN NULL ELSE 'host' || n % 37 || '.example' END, 'User ' || n, repeat('about me ', n % 7)
FROM generate_series(1, greatest(10, $ROWS$ / 10)) n;
INSERT INTO users (account_id, email, encrypted_password, sign_in_count)
SELECT id, username || '@shop.example', md5(username), id % 9 FROM accounts WHERE domain IS NULL;
INSERT INTO statuses (account_id, text, in_reply_to_id, visibility)
SELECT 1 + n % greatest(10, $ROWS$ / 10), repeat('Grüße, число ' || n || '. ', 1 + n % 5), CASE WHEN n > 10 AND n % 4 = 0 THEN n - 7 END, n % 4
FROM generate_series(1, $ROWS$) n;
INSERT INTO follows (account_id, target_account_id)
SELECT a.id, 1 + (a.id * 7 + n) % greatest(10, $ROWS$ / 10) FROM accounts a, generate_series(1, 5) n ON CONFLICT DO NOTHING;
INSERT INTO notifications (account_id, from_account_id, activity_id, activity_type)
SELECT account_id, 1 + id % greatest(10, $ROWS$ / 10), id, 'Status' FROM statuses;
INSERT INTO media_attachments (status_id, account_id, file_meta, remote_url)
SELECT id, account_id, jsonb_build_object('width', 640 + id % 1000, 'height', 480), 'media/' || id || '.webp' FROM statuses WHERE id % 5 = 0;
INSERT INTO mentions (status_id, account_id)
SELECT id, 1 + (id * 3) % greatest(10, $ROWS$ / 10) FROM statuses WHERE id % 4 = 0;
ANALYZE;
