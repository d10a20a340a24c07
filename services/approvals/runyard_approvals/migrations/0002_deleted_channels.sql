-- Which request deleted a channel: if the same request comes again, it is answered as before.

create table approvals.deleted_channel (
    tenant_id   text        not null,
    channel_id  text        not null,
    request_id  text        not null,
    deleted_at  timestamptz not null default now(),
    primary key (tenant_id, channel_id)
);
create index deleted_channel_deleted_at on approvals.deleted_channel (deleted_at);
comment on table approvals.deleted_channel is 'Channels that were deleted, for a day; nothing of them but the id.';
