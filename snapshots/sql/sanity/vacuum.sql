-- VACUUM gives back free pages and keeps the rows.
CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);
CREATE INDEX t_v ON t(v);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000)
INSERT INTO t SELECT i, CAST(printf('%0200d', i * 7919 % 2000) AS BLOB) FROM c;
PRAGMA page_count;
DELETE FROM t WHERE id % 4 <> 0;
PRAGMA freelist_count;
VACUUM;
PRAGMA page_count;
PRAGMA freelist_count;
SELECT count(*), sum(id), sum(length(v)) FROM t;
--@ reopen
SELECT count(*), sum(id), sum(length(v)) FROM t;
PRAGMA integrity_check;
BEGIN;
VACUUM;
ROLLBACK;
