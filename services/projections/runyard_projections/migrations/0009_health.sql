-- What the projections say of themselves: trouble, rebuilds and checks under way, how long history is kept.

alter table projections.position add column trouble text;

create or replace view read.projection as
select
    name, position, greatest(head, position) as head, greatest(head - position, 0) as lag_events,
    case when head > position then greatest(extract(epoch from now() - as_of), 0) else 0 end::double precision as lag_seconds,
    as_of, updated_at, trouble
from projections.position;
comment on column read.projection.trouble is 'Why it stands still until somebody helps, in words; null if it does not.';

create table projections.upkeep (
    kind         text        not null,
    name         text        not null,
    position     bigint      not null default 0,
    head         bigint      not null default 0,
    started_by   text        not null,
    started_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    finished_at  timestamptz,
    failure      text,
    differences  json,
    primary key (kind, name)
);

create view read.projection_upkeep as
select kind, name, position, head, started_by, started_at, updated_at, finished_at, failure, differences
from projections.upkeep;
comment on view read.projection_upkeep is 'The last rebuild and the last check of each read model, under way or over.';
comment on column read.projection_upkeep.kind is 'rebuild or check.';
comment on column read.projection_upkeep.name is 'The read model.';
comment on column read.projection_upkeep.position is 'How far it has come in the log; of a check that is over, the position at which rows were compared.';
comment on column read.projection_upkeep.head is 'The end of the log, as far as it knew.';
comment on column read.projection_upkeep.started_by is 'Who asked for it.';
comment on column read.projection_upkeep.started_at is 'When it began.';
comment on column read.projection_upkeep.updated_at is 'Its last sign of life; every second while it works.';
comment on column read.projection_upkeep.finished_at is 'When it was over, well or not; null while it works, or if its process died.';
comment on column read.projection_upkeep.failure is 'Why it came to nothing, in words.';
comment on column read.projection_upkeep.differences is
'Of a check that is over: a list of table, rows (there are), expected (there should be) and keys (the first that differ); empty if all is well.';

create table projections.retention (
    tenant_id       text        primary key,
    history_months  integer     check (history_months > 0),
    changed_at      timestamptz not null,
    changed_by      text        not null
);

create view read.retention as
select tenant_id, history_months, changed_at, changed_by from projections.retention;
comment on view read.retention is 'How long the history of a tenant is kept before it is archived; a tenant without a row keeps it for ever.';
comment on column read.retention.tenant_id is 'The tenant.';
comment on column read.retention.history_months is 'Months after the end of an execution; null for ever.';
comment on column read.retention.changed_at is 'When that was set.';
comment on column read.retention.changed_by is 'Who set it.';

create table projections.expired_month (
    tenant_id  text        not null,
    month      date        not null,
    reason     text        not null,
    looked_at  timestamptz not null default now(),
    primary key (tenant_id, month)
);

create view read.expired_month as
select tenant_id, month, reason, looked_at from projections.expired_month;
comment on view read.expired_month is 'Months whose time is over and that are not archived yet.';
comment on column read.expired_month.tenant_id is 'The tenant.';
comment on column read.expired_month.month is 'Its first day (UTC).';
comment on column read.expired_month.reason is 'What it waits for, in words.';
comment on column read.expired_month.looked_at is 'When that was found.';
