-- +goose Up

-- Keys are BLOBs, so that they compare byte by byte, as S3 orders them. Times are Unix
-- milliseconds. attributes is JSON (blob.Attributes).

CREATE TABLE buckets (
    name    TEXT PRIMARY KEY,
    created INTEGER NOT NULL,
    tags    TEXT NOT NULL DEFAULT '[]'
) STRICT, WITHOUT ROWID;

CREATE TABLE objects (
    bucket             TEXT NOT NULL,
    key                BLOB NOT NULL,
    id                 TEXT NOT NULL, -- owner of its segments and parts
    size               INTEGER NOT NULL,
    etag               TEXT NOT NULL,
    modified           INTEGER NOT NULL,
    checksum_algorithm TEXT NOT NULL,
    checksum_type      TEXT NOT NULL,
    checksum           TEXT NOT NULL,
    parts              INTEGER NOT NULL,
    attributes         TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE uploads (
    bucket             TEXT NOT NULL,
    key                BLOB NOT NULL,
    id                 TEXT NOT NULL, -- becomes the object's; begins with the time
    started            INTEGER NOT NULL,
    checksum_algorithm TEXT NOT NULL,
    checksum_type      TEXT NOT NULL,
    attributes         TEXT NOT NULL,
    PRIMARY KEY (bucket, key, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE parts (
    owner              TEXT NOT NULL,
    number             INTEGER NOT NULL,
    size               INTEGER NOT NULL,
    etag               TEXT NOT NULL,
    modified           INTEGER NOT NULL,
    checksum_algorithm TEXT NOT NULL,
    checksum           TEXT NOT NULL,
    PRIMARY KEY (owner, number)
) STRICT, WITHOUT ROWID;

-- The bytes of an owner are those of its segments in the order of (part, n). Files are never
-- changed once they are named here, and may be shared.
CREATE TABLE segments (
    owner  TEXT NOT NULL,
    part   INTEGER NOT NULL, -- 0 for a plain put
    n      INTEGER NOT NULL,
    file   TEXT NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (owner, part, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX segments_file ON segments (file);
