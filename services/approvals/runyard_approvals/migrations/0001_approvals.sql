create table approvals.secret (
    secret  bytea not null
);
create unique index secret_single_row on approvals.secret ((true));
comment on table approvals.secret is 'One row at most: the secret that was made because none was set. It lies beside what it protects: for one machine.';

create table approvals.channel (
    tenant_id   text        not null,
    channel_id  text        not null,
    name        text        not null,
    kind        text        not null,
    url         bytea       not null,
    enabled     boolean     not null,
    created_at  timestamptz not null,
    primary key (tenant_id, channel_id),
    constraint channel_name unique (tenant_id, name)
);
comment on table approvals.channel is 'Where people are told that they are asked.';
comment on column approvals.channel.kind is 'The scheme of the URL, such as mailto or slack.';
comment on column approvals.channel.url is 'Encrypted: it has passwords and tokens in it.';
