-- A savepoint rolls back more than the cache holds, so that pages were spilled before.
PRAGMA cache_size = 20;
CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);
BEGIN;
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000)
INSERT INTO t SELECT i, zeroblob(400) FROM c;
SAVEPOINT a;
UPDATE t SET v = CAST(printf('%0400d', id) AS BLOB);
DELETE FROM t WHERE id % 3 = 0;
SELECT count(*), sum(length(v)) FROM t;
ROLLBACK TO a;
SELECT count(*), sum(v = zeroblob(400)) FROM t;
UPDATE t SET v = x'01' WHERE id <= 10;
COMMIT;
SELECT count(*), sum(v = zeroblob(400)), sum(v = x'01') FROM t;
--@ reopen
SELECT count(*), sum(v = zeroblob(400)), sum(v = x'01') FROM t;
PRAGMA integrity_check;
