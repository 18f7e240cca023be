-- VACUUM moves every page while a reader stays in the old state.
--@ wal
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000)
INSERT INTO t SELECT i, printf('%060d', i) FROM c;
DELETE FROM t WHERE id % 2;
--@ open reader main.db
PRAGMA cache_size = 5;
BEGIN;
SELECT count(*), sum(id), sum(length(v)) FROM t;
--@ on main
VACUUM;
DELETE FROM t WHERE id < 1000;
VACUUM;
SELECT count(*), sum(id), sum(length(v)) FROM t;
--@ on reader
SELECT count(*), sum(id), sum(length(v)) FROM t;
SELECT v FROM t WHERE id = 500;
PRAGMA integrity_check;
COMMIT;
SELECT count(*), sum(id), sum(length(v)) FROM t;
PRAGMA integrity_check;
