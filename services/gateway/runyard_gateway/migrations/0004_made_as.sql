-- Which command made a user: if it is carried out again under its Idempotency-Key, it knows the user for its own.

alter table gateway.users add column made_as uuid;
comment on column gateway.users.made_as is 'An id of the command that made the user; the same if the command is carried out again under its Idempotency-Key.';
