-- Pages that a large transaction spilled are seen by nobody else, before or after it rolled back.
--@ wal
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)
INSERT INTO t SELECT i, 'old' FROM c;
PRAGMA cache_size = 5;
BEGIN;
UPDATE t SET v = printf('%0200d', id);
--@ open b main.db
SELECT count(*), count(DISTINCT v), sum(length(v)) FROM t;
PRAGMA integrity_check;
--@ on main
ROLLBACK;
--@ on b
SELECT count(*), count(DISTINCT v), sum(length(v)) FROM t;
--@ on main
BEGIN;
DELETE FROM t;
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000)
INSERT INTO t SELECT i, printf('%0100d', i) FROM c;
--@ on b
SELECT count(*), count(DISTINCT v), sum(length(v)) FROM t;
--@ on main
COMMIT;
--@ on b
SELECT count(*), count(DISTINCT v), sum(length(v)) FROM t;
PRAGMA integrity_check;
