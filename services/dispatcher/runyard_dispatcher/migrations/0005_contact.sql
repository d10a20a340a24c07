-- An agent that was out of reach for too long says so with a new number, and gets the orders again that it has not listed.

alter table dispatcher.agent add column contact integer not null default 0;
comment on column dispatcher.agent.contact is 'As the agent said in its last registration: how often its session has been out of reach for so long that it could have been given up. Orders carry it.';
