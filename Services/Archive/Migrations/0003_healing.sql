-- Positions whose event is stored at another: it was appended again after a fault of the hot log. Either the first position is missing
-- and the later one has the event, or the first has it and the later one is this row alone.
create table event_aliases (
    stream text collate "C" not null,
    epoch bigint not null,
    seq bigint not null,
    at_epoch bigint not null,
    at_seq bigint not null,
    recorded_at timestamptz not null default now(),
    primary key (stream, epoch, seq)
);

-- Up to where a stream was deleted from the archive, so that a log from before the deletion cannot bring it back.
create table deletions (
    stream text collate "C" primary key,
    epoch bigint not null,
    seq bigint not null,
    deleted_at timestamptz not null
);
