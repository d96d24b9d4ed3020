-- The data of the benchmark, the same for every server and every run. psql runs this before each.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
-- What is measured is what stands before the server: nobody waits for its disk.
ALTER DATABASE bench SET synchronous_commit = off;
ALTER DATABASE bench SET timezone = 'UTC';
SET timezone = 'UTC';

DROP TABLE IF EXISTS world, fortune, reading, copied;

-- Updated in place, by room within the pages: no server finds a table that another one has bloated.
CREATE TABLE world (id int PRIMARY KEY, randomnumber int NOT NULL) WITH (fillfactor = 50, autovacuum_enabled = off);
INSERT INTO world SELECT n, 1 + n * 7919 % 10000 FROM generate_series(1, 10000) n;

CREATE TABLE fortune (id int PRIMARY KEY, message text NOT NULL);
INSERT INTO fortune VALUES
    (1, 'fortune: No such file or directory'),
    (2, 'A computer scientist is someone who fixes things that aren''t broken.'),
    (3, 'After enough decimal places, nobody gives a damn.'),
    (4, 'A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1'),
    (5, 'A computer program does what you tell it to do, not what you want it to do.'),
    (6, 'Emacs is a nice operating system, but I prefer UNIX. — Tom Christaensen'),
    (7, 'Any program that runs right is obsolete.'),
    (8, 'A list is only as strong as its weakest link. — Donald Knuth'),
    (9, 'Feature: A bug with seniority.'),
    (10, 'Computers make very fast, very accurate mistakes.'),
    (11, '<script>alert("This should not be displayed in a browser alert box.");</script>'),
    (12, 'フレームワークのベンチマーク');

CREATE TABLE reading (id int PRIMARY KEY, name text NOT NULL, price numeric(12, 2) NOT NULL, taken timestamptz NOT NULL, valid bool NOT NULL);
INSERT INTO reading
    SELECT n, 'reading number ' || n, n * 1.25, timestamptz '2026-01-01 00:00:00Z' + n * interval '61 seconds', n % 3 = 0
    FROM generate_series(1, 1000) n;

-- The large table of the COPY benchmark: 200 MB of CSV, made once.
CREATE TABLE IF NOT EXISTS stored AS
    SELECT n AS id, 'reading number ' || n AS name, (n % 100000 * 1.25)::numeric(12, 2) AS price,
           timestamptz '2026-01-01 00:00:00Z' + n * interval '1 second' AS taken, n % 3 = 0 AS valid
    FROM generate_series(1, 2970000) n;
-- Not logged: no server waits for another's write-ahead log.
CREATE UNLOGGED TABLE copied (LIKE stored);

VACUUM ANALYZE world, fortune, reading, stored;
