-- +goose Up
-- What was used of one resource by one operation in one hour. hour is the Unix time at
-- which it begins.
CREATE TABLE usage (
	hour            BIGINT NOT NULL,
	account         TEXT   NOT NULL,
	region          TEXT   NOT NULL,
	resource        TEXT   NOT NULL,
	operation       TEXT   NOT NULL,
	events          BIGINT NOT NULL,
	input_tokens    BIGINT NOT NULL,
	output_tokens   BIGINT NOT NULL,
	training_tokens BIGINT NOT NULL,
	latency_ns      BIGINT NOT NULL,
	PRIMARY KEY (resource, operation, hour)
);
CREATE INDEX usage_scope ON usage (account, region, hour);
