-- Tenants, roles of their own, scoped keys, sign-in by OpenID Connect, sessions of the web app, and the audit log.

create table gateway.tenant (
    tenant_id   text        primary key,
    name        text        not null,
    time_zone   text        not null default 'UTC',
    disabled    boolean     not null default false,
    created_at  timestamptz not null
);
comment on table gateway.tenant is 'Who shares this installation without seeing each other. The tenant of the settings is made at the start of a gateway.';
comment on column gateway.tenant.time_zone is 'IANA name; days of analytics are days there, unless a request names another.';
comment on column gateway.tenant.disabled is 'Whether every key, token and session of the tenant is refused for now.';

insert into gateway.tenant (tenant_id, name, created_at)
select tenant_id, tenant_id, min(created_at) from gateway.users group by tenant_id;

alter table gateway.users
    add column email text,
    add column display_name text,
    add column oidc_subject text,
    add foreign key (tenant_id) references gateway.tenant (tenant_id);
create unique index users_of_subject on gateway.users (tenant_id, oidc_subject) where oidc_subject is not null;
comment on column gateway.users.oidc_subject is 'The claim sub of whoever signs in as this user by OpenID Connect; null for nobody.';

create table gateway.role (
    tenant_id    text        not null references gateway.tenant (tenant_id),
    name         text        not null,
    permissions  text[]      not null,
    changed_at   timestamptz not null,
    primary key (tenant_id, name)
);
comment on table gateway.role is 'Roles that a tenant made for itself, with what they permit; the built-in ones are in the code.';

alter table gateway.api_key
    add column name text not null default '',
    add column scopes text[];
comment on column gateway.api_key.scopes is 'Permissions beyond which the key does not go, whatever its user may do; null for no such limit.';

create table gateway.session (
    session_id    uuid        primary key,
    token_sha256  bytea       not null unique,
    tenant_id     text        not null,
    user_name     text        not null,
    key_id        uuid        references gateway.api_key (key_id) on delete cascade,
    admin_proof   bytea,
    roles         text[]      not null,
    created_at    timestamptz not null,
    last_used_at  timestamptz not null,
    expires_at    timestamptz not null
);
create index session_of_user on gateway.session (tenant_id, user_name);
create index session_expires_at on gateway.session (expires_at);
comment on table gateway.session is 'Sign-ins of the web app. The cookie is nowhere stored, only its hash.';
comment on column gateway.session.key_id is 'The API key that was signed in with; the session ends with it. Null for OpenID Connect and the admin token.';
comment on column gateway.session.admin_proof is 'Of a sign-in with the admin token: that token hashed under the cookie. Another admin token ends the session.';
comment on column gateway.session.roles is 'What the groups in the sign-in''s token gave, beside the roles of the user.';
comment on column gateway.session.last_used_at is 'To the minute.';

create table gateway.audit (
    audit_id         uuid        not null,
    tenant_id        text        not null,
    actor            text        not null,
    credential_type  text        not null,
    credential_id    text,
    source           text        not null,
    operation        text        not null,
    target           text,
    outcome          text        not null,
    status           integer,
    code             text,
    started_at       timestamptz not null,
    duration_ms      integer,
    primary key (audit_id)
) partition by range (audit_id);
create index audit_of_tenant on gateway.audit (tenant_id, audit_id desc);
create index audit_of_actor on gateway.audit (tenant_id, actor, audit_id desc);
create index audit_of_operation on gateway.audit (tenant_id, operation, audit_id desc);
create index audit_of_outcome on gateway.audit (tenant_id, outcome, audit_id desc) where outcome <> 'done';
comment on table gateway.audit is 'Every command, written once and never changed: who, from where, what, and what came of it. Never a body or a secret. Partitioned by audit_id (a UUIDv7), that is by month.';
comment on column gateway.audit.tenant_id is 'That of the settings for sign-ins that failed: nobody knows whose they were.';
comment on column gateway.audit.target is 'What it was for: the ids and names in the path.';
comment on column gateway.audit.outcome is 'done, refused (a 4xx), failed (a 5xx), or unknown: the gateway died before it had an answer.';

create table gateway.audit_default partition of gateway.audit default;
comment on table gateway.audit_default is 'Months that have no partition of their own.';

create table gateway.audit_open (
    batch_id  uuid        primary key,
    begun_at  timestamptz not null,
    commands  json        not null
);
comment on table gateway.audit_open is 'Commands under way, in the lists they were written in. A list goes when all of it is in gateway.audit; what a dead gateway left becomes the outcome unknown.';

-- The smallest UUIDv7 of an instant (UTC).
create function gateway.first_id_at(at timestamp) returns uuid language sql immutable as $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Partitions for the running month and `ahead` more. A month that has rows in the default partition already is left there.
create function gateway.create_audit_partitions(ahead integer) returns void language plpgsql as $$
declare
    month timestamp;
    partition text;
begin
    perform pg_advisory_xact_lock(hashtext('gateway.audit'));
    for month in
        select date_trunc('month', now() at time zone 'UTC') + make_interval(months => n) from generate_series(0, ahead) n
    loop
        partition := 'audit_' || to_char(month, 'YYYY_MM');
        continue when to_regclass(format('gateway.%I', partition)) is not null;
        begin
            execute format(
                'create table gateway.%I partition of gateway.audit for values from (%L) to (%L)',
                partition, gateway.first_id_at(month), gateway.first_id_at(month + interval '1 month')
            );
        exception when check_violation then
            raise notice 'commands of % are in the default partition and stay there', partition;
        end;
    end loop;
end
$$;

select gateway.create_audit_partitions(2);

create schema if not exists read;
create view read.tenant as select tenant_id, name, time_zone, disabled, created_at from gateway.tenant;
comment on view read.tenant is 'Tenants of this installation.';
comment on column read.tenant.tenant_id is 'As in every other view.';
comment on column read.tenant.name is 'For people.';
comment on column read.tenant.time_zone is 'IANA name; days of analytics are days there, unless a request names another.';
comment on column read.tenant.disabled is 'Whether its keys, tokens and sessions are refused for now.';
comment on column read.tenant.created_at is 'When it was made.';
