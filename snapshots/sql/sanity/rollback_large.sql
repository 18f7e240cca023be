-- A rollback after the cache was spilled leaves the file as it was.
PRAGMA cache_size = 10;
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000)
INSERT INTO t SELECT i, printf('row %d', i) FROM c;
SELECT count(*), sum(length(v)) FROM t;
BEGIN;
UPDATE t SET v = v || printf('%0500d', id);
SELECT count(*), sum(length(v)) FROM t;
ROLLBACK;
SELECT count(*), sum(length(v)) FROM t;
PRAGMA integrity_check;
BEGIN;
DELETE FROM t WHERE id > 5;
ROLLBACK;
SELECT count(*), sum(length(v)) FROM t;
--@ reopen
SELECT count(*), sum(length(v)) FROM t;
PRAGMA page_count;
PRAGMA integrity_check;
