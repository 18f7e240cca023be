-- auto_vacuum=FULL moves pages and cuts the file at every commit.
PRAGMA auto_vacuum = FULL;
CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);
PRAGMA auto_vacuum;
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)
INSERT INTO t SELECT i, CAST(printf('%0900d', i) AS BLOB) FROM c;
PRAGMA page_count;
DELETE FROM t WHERE id % 2 = 0;
PRAGMA page_count;
PRAGMA freelist_count;
DELETE FROM t WHERE id > 20;
PRAGMA page_count;
SELECT count(*), sum(length(v)) FROM t;
WITH RECURSIVE c(i) AS (SELECT 2000 UNION ALL SELECT i + 1 FROM c WHERE i < 2500)
INSERT INTO t SELECT i, CAST(printf('%0900d', i) AS BLOB) FROM c;
DROP TABLE t;
PRAGMA page_count;
--@ reopen
PRAGMA page_count;
PRAGMA integrity_check;
