-- What is forgotten with time is found by its time.
create index event_aliases_recorded_at on event_aliases (recorded_at);
create index deletions_deleted_at on deletions (deleted_at);
