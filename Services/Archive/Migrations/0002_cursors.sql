-- Where a consumer stands in a stream: the last position that it has acknowledged. The fence rises with each new holder of the
-- name; only the newest one's positions are taken.
create table cursors (
    principal text collate "C" not null,
    name text collate "C" not null,
    stream text collate "C" not null,
    fence bigint not null default 1,
    epoch bigint,
    seq bigint,
    updated_at timestamptz not null default now(),
    primary key (principal, name, stream),
    check ((epoch is null) = (seq is null))
) with (fillfactor = 50);

create index cursors_by_age on cursors (updated_at);
