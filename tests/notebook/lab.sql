-- Every type that a notebook meets, and rows enough to need a stream.
CREATE SCHEMA lab;
SET search_path = lab;
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE kinds (
    id integer PRIMARY KEY, small smallint, big bigint, exact numeric(12, 2), wide numeric(30, 10),
    free numeric, real_ real, yes boolean, word text, day date, moment timestamptz,
    local_moment timestamp, hour time, span interval, doc json, docb jsonb, code uuid, raw bytea,
    mood mood, numbers integer[], words text[], moments timestamptz[]);
INSERT INTO kinds VALUES
  (1, -32768, 9007199254740993, 1234567890.25, 12345678901234567890.0123456789, 0.5, 1.5, true,
   E'é ''q'' :x', '2024-02-29', '2024-03-31 01:30:00.123456+01', '1969-12-31 23:59:59.5',
   '23:59:58.5', '1 mon 2 days 03:04:05.5', '{"a": [1, null]}', '{"b": 1.50}',
   '00112233-4455-6677-8899-aabbccddeeff', '\x00ff10', 'glad', '{1,NULL,3}', '{a,"b,c",NULL}',
   '{2024-03-31 01:30:00+01}');
INSERT INTO kinds (id) VALUES (2);
CREATE TABLE numbers (id integer PRIMARY KEY, filler text, "Odd Name" integer);
INSERT INTO numbers SELECT n, md5(n::text) || md5((-n)::text), n % 7 FROM generate_series(1, 300000) n;
CREATE TABLE people (id integer PRIMARY KEY, email text);
INSERT INTO people VALUES (1, 'ada@example.org'), (2, NULL);
CREATE TABLE unlisted (id integer);
ANALYZE;
