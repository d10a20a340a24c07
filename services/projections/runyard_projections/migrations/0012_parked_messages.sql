-- A message that is parked again after a retry is the same row. What was done with it is kept for a while, without its body.
alter table projections.parked_message
    add column first_parked_at timestamptz,
    add column times           integer not null default 1,
    add column kind            text    not null default '',
    add column of_tenant       text,
    add column sender          text    not null default '',
    add column whole           boolean not null default true,
    add column outcome         text,
    add column settled_at      timestamptz,
    add column settled_by      text;
create index parked_message_settled on projections.parked_message (settled_at) where outcome is not null;

create or replace view read.parked_message as
select
    message_id, queue, body, reason, attempts, parked_at, coalesce(first_parked_at, parked_at) as first_parked_at, times, kind,
    of_tenant, sender, whole, outcome, settled_at, settled_by
from projections.parked_message;
comment on view read.parked_message is 'Messages that could not be handled, and for 30 days what was done with them.';
comment on column read.parked_message.message_id is 'Identity: a hash of the queue and the message.';
comment on column read.parked_message.body is 'The message as received, *** for its secrets; empty once something was done with it.';
comment on column read.parked_message.attempts is 'How often that was tried in all.';
comment on column read.parked_message.parked_at is 'When it was set aside, the last time.';
comment on column read.parked_message.first_parked_at is 'When it was set aside, the first time.';
comment on column read.parked_message.times is 'How often it was set aside.';
comment on column read.parked_message.kind is 'What it is, as far as it says: AgentHeartbeat, Request: StartExecution.';
comment on column read.parked_message.of_tenant is 'The tenant that it names itself; nobody has checked it.';
comment on column read.parked_message.sender is 'The agent that sent it, as tenant/name, if it was not yet found that it may say this; else empty.';
comment on column read.parked_message.whole is 'Whether it can be sent again: its body is whole, and held no secret.';
comment on column read.parked_message.outcome is 'retried or dropped; null while nothing was done.';
comment on column read.parked_message.settled_at is 'When that was done.';
comment on column read.parked_message.settled_by is 'By whom.';
