-- Every archived event. The key is its position; day (UTC, from recorded_at) is only in it because a partitioned table needs that.
-- recorded_at never falls within a stream, so a stream's positions, times and days all grow together.
create table events (
    stream text collate "C" not null,
    epoch bigint not null,
    seq bigint not null,
    day date not null,
    event_id text not null,
    source text not null,
    type text not null,
    time timestamptz,
    recorded_at timestamptz not null,
    -- On the first event of a later epoch: the last position that the hot log knew before it.
    previous_epoch bigint,
    previous_seq bigint,
    -- 1 terminal, 2 critical; 256: event_id, source and type are written with \\ for \ and \0 for U+0000, which text cannot hold.
    flags smallint not null,
    -- What the columns cannot give back as it was written, tokens unchanged: odd ids, subject, time, extensions. json, never jsonb.
    attributes json,
    -- 0 none, 1 the JSON value of data, 2 the text of data_base64, 3 the whole stored frame because its form was unexpected.
    data_kind smallint not null,
    data bytea,
    primary key (stream, epoch, seq, day)
) partition by range (day);

do $$
begin
    alter table events alter column data set compression lz4;
exception when feature_not_supported then
    -- A server built without lz4 compresses large payloads with pglz.
end
$$;

create view events_text as
select
    stream,
    epoch || '-' || seq as position,
    recorded_at,
    event_id,
    source,
    type,
    time,
    previous_epoch || '-' || previous_seq as previous,
    (flags & 1) <> 0 as terminal,
    (flags & 2) <> 0 as critical,
    attributes,
    case data_kind when 1 then convert_from(data, 'UTF8') when 2 then convert_from(data, 'UTF8') when 3 then encode(data, 'escape') end as data
from events;

-- One row a stream, maintained in the same transaction as its events.
create table streams (
    name text collate "C" primary key,
    first_epoch bigint not null,
    first_seq bigint not null,
    last_epoch bigint not null,
    last_seq bigint not null,
    count bigint not null,
    end_state text,
    end_type text,
    -- recorded_at of the last event, cut to whole seconds so that a busy stream does not rewrite its index entry at each commit.
    updated_at timestamptz not null,
    first_day date not null,
    last_day date not null,
    -- The stream was deleted from the hot log at this position and kept here.
    deleted_at timestamptz,
    deleted_epoch bigint,
    deleted_seq bigint
) with (fillfactor = 70);

create index streams_by_activity on streams (updated_at desc, name);

-- Who reads which partition's archive log, and how far it is archived. The fence rises with each new owner.
create table partitions (
    partition smallint primary key,
    owner text,
    fence bigint not null default 0,
    lease_until timestamptz not null default '-infinity',
    watermark_epoch bigint not null default 0,
    watermark_seq bigint not null default 0
) with (fillfactor = 20);

insert into partitions (partition) select generate_series(0, 63);

-- Replicas that live, to share the partitions fairly.
create table archivers (
    owner text primary key,
    lease_until timestamptz not null
);

-- Events that the table above refused, with the reason. Their positions count as present.
create table dead_events (
    stream text collate "C" not null,
    epoch bigint not null,
    seq bigint not null,
    recorded_at timestamptz not null,
    type text,
    flags smallint not null,
    sqlstate text not null,
    reason text not null,
    frame bytea not null,
    died_at timestamptz not null default now(),
    primary key (stream, epoch, seq)
);
