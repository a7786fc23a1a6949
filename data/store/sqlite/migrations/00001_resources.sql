-- +goose Up
-- One row for each durable noun: what queries select on in columns, the rest as JSON.
-- Times are nanoseconds since 1970, 0 for none. A deleted row stays, as history.
CREATE TABLE resources (
	arn         TEXT   NOT NULL PRIMARY KEY,
	kind        TEXT   NOT NULL,
	account     TEXT   NOT NULL,
	region      TEXT   NOT NULL,
	id          TEXT   NOT NULL,
	name        TEXT   NOT NULL,
	status      TEXT   NOT NULL,
	parent      TEXT   NOT NULL,
	token       TEXT   NOT NULL,
	tags        TEXT   NOT NULL,
	body        TEXT   NOT NULL,
	created     BIGINT NOT NULL,
	updated     BIGINT NOT NULL,
	deleted     BIGINT NOT NULL DEFAULT 0,
	version     BIGINT NOT NULL,
	lease_owner TEXT   NOT NULL DEFAULT '',
	lease_until BIGINT NOT NULL DEFAULT 0,
	fence       BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX resources_id ON resources (kind, account, region, id);
CREATE UNIQUE INDEX resources_name ON resources (kind, account, region, name) WHERE deleted = 0 AND name <> '';
CREATE UNIQUE INDEX resources_token ON resources (kind, account, region, token) WHERE deleted = 0 AND token <> '';
CREATE INDEX resources_scope ON resources (kind, account, region, created, arn) WHERE deleted = 0;
CREATE INDEX resources_status ON resources (kind, status, created, arn) WHERE deleted = 0;
CREATE INDEX resources_parent ON resources (kind, parent, created, arn) WHERE deleted = 0 AND parent <> '';
CREATE INDEX resources_deleted ON resources (kind, deleted) WHERE deleted <> 0;
