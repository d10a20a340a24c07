-- Answers that are given again, and what webhooks are opened with.

create table gateway.secret (
    only_one  boolean primary key default true check (only_one),
    secret    bytea   not null
);
comment on table gateway.secret is
'The secret of the gateway where none was set (RUNYARD_GATEWAY_SECRET): encrypts the secrets of webhooks.';

create table gateway.kept_answer (
    tenant_id    text        not null,
    actor        text        not null,
    key          text        not null,
    fingerprint  bytea       not null,
    holder       uuid        not null,
    held_until   timestamptz not null,
    created_at   timestamptz not null,
    status       smallint,
    headers      json,
    body         bytea,
    primary key (tenant_id, actor, key)
);
create index kept_answer_by_age on gateway.kept_answer (created_at);
comment on table gateway.kept_answer is 'One row for each Idempotency-Key of the last 24 hours: the request is under way, or was answered.';
comment on column gateway.kept_answer.fingerprint is 'Of method, path, query and body, keyed, so that it tells nothing about them.';
comment on column gateway.kept_answer.holder is 'Who carries it out, as long as held_until is not over and there is no status.';
comment on column gateway.kept_answer.created_at is 'When it was first asked for; the ids of what it makes are made of this and the key.';
comment on column gateway.kept_answer.body is 'Null while it is under way, and for an answer that held a secret.';

create table gateway.webhook (
    hook_id          uuid        primary key,
    tenant_id        text        not null,
    workflow_id      uuid        not null,
    webhook_id       text        not null,
    description      text        not null,
    auth             text        not null,
    preset           text        not null,
    max_age_seconds  integer,
    key_sha256       bytea       not null unique,
    key_begins       text        not null,
    secret           bytea       not null,
    old_secret       bytea,
    old_secret_until timestamptz,
    enabled          boolean     not null,
    created_at       timestamptz not null,
    created_by       text        not null,
    rotated_at       timestamptz
);
create index webhook_of_workflow on gateway.webhook (tenant_id, workflow_id, hook_id);
comment on table gateway.webhook is 'What opens the webhook triggers of workflows.';
comment on column gateway.webhook.webhook_id is 'The id of the trigger in the document.';
comment on column gateway.webhook.key_sha256 is 'Of the key in the address, which is nowhere stored.';
comment on column gateway.webhook.key_begins is 'The first characters of the key, to tell one from another.';
comment on column gateway.webhook.secret is 'auth bearer: SHA-256 of the secret. auth hmac: the secret, encrypted with the secret of the gateway.';
comment on column gateway.webhook.old_secret is 'That before the last rotation, taken until old_secret_until.';

create table gateway.webhook_pace (
    hook_id   uuid          primary key references gateway.webhook on delete cascade,
    requests  timestamptz[] not null
) with (fillfactor = 50);
comment on table gateway.webhook_pace is 'When the requests of the last minute came, for each webhook; its lock puts those of one webhook in a row.';

create table gateway.webhook_delivery (
    hook_id       uuid        not null references gateway.webhook on delete cascade,
    digest        bytea       not null,
    received_at   timestamptz not null,
    execution_id  uuid        not null,
    claim         text        not null,
    primary key (hook_id, digest)
);
create index webhook_delivery_by_age on gateway.webhook_delivery (received_at);
comment on table gateway.webhook_delivery is 'Deliveries, by their id and by their payload, with the execution that each is for.';
comment on column gateway.webhook_delivery.claim is 'The idempotency key with which the execution is started.';

-- One request of a webhook, counted; then which execution it is for. `id_digest` is null without a delivery id, both are null for a
-- request that is only counted. Not `allowed`: the limit is reached until `retry_seconds` from now.
create function gateway.receive_webhook(
    hook uuid, id_digest bytea, payload_digest bytea, new_execution_id uuid, new_claim text, per_minute integer,
    same_payload interval, out allowed boolean, out retry_seconds double precision, out execution_id uuid, out claim text
) language plpgsql as $$
declare
    recent timestamptz[];
    arrived timestamptz;
    known gateway.webhook_delivery;
begin
    insert into gateway.webhook_pace values (hook, '{}') on conflict do nothing;
    select p.requests into recent from gateway.webhook_pace p where p.hook_id = hook for update;
    arrived := clock_timestamp();
    recent := array(select each from unnest(recent) each where each > arrived - interval '1 minute' order by each);
    allowed := cardinality(recent) < per_minute;
    if not allowed then
        retry_seconds := extract(epoch from recent[cardinality(recent) - per_minute + 1] + interval '1 minute' - arrived);
        return;
    end if;
    update gateway.webhook_pace p set requests = recent || arrived where p.hook_id = hook;
    if payload_digest is null then
        return;
    end if;
    select d.* into known from gateway.webhook_delivery d where d.hook_id = hook and d.digest = id_digest;
    if not found then
        select d.* into known from gateway.webhook_delivery d
        where d.hook_id = hook and d.digest = payload_digest and d.received_at > arrived - same_payload;
        if not found then
            known := row(hook, payload_digest, arrived, new_execution_id, new_claim);
            insert into gateway.webhook_delivery select known.*
            on conflict on constraint webhook_delivery_pkey do update
            set received_at = excluded.received_at, execution_id = excluded.execution_id, claim = excluded.claim;
        end if;
        if id_digest is not null then
            insert into gateway.webhook_delivery values (hook, id_digest, arrived, known.execution_id, known.claim);
        end if;
    end if;
    execution_id := known.execution_id;
    claim := known.claim;
end;
$$;
