-- Who may ask: people and their API keys. The administrator of the admin token is in no table.

create table gateway.users (
    tenant_id    text        not null,
    name         text        not null,
    roles        text[]      not null,
    disabled     boolean     not null default false,
    created_at   timestamptz not null,
    primary key (tenant_id, name)
);
comment on table gateway.users is 'People and programs, by the name that events and logs give them.';
comment on column gateway.users.roles is 'Built-in roles give permissions; any other is a label that approvers are chosen by.';
comment on column gateway.users.disabled is 'Whether all keys of the user are refused for now.';

create table gateway.api_key (
    key_id        uuid        primary key,
    tenant_id     text        not null,
    user_name     text        not null,
    key_sha256    bytea       not null unique,
    created_at    timestamptz not null,
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz,
    foreign key (tenant_id, user_name) references gateway.users (tenant_id, name) on delete cascade
);
create index api_key_of_user on gateway.api_key (tenant_id, user_name);
comment on table gateway.api_key is 'API keys, as hashes: what opens the door is nowhere stored.';
comment on column gateway.api_key.last_used_at is 'To the minute.';

create table gateway.bulk_request (
    tenant_id      text        not null,
    key            text        not null,
    body_sha256    bytea       not null,
    execution_ids  uuid[]      not null,
    more           boolean     not null,
    created_at     timestamptz not null,
    primary key (tenant_id, key)
);
comment on table gateway.bulk_request is
'Which executions a bulk re-run with an Idempotency-Key was for: the same request again must not choose anew, because its own executions may match by then.';
