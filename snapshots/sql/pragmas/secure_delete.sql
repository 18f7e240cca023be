-- With secure_delete off, what was freed is not written again; the rows are right either way.
CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);
PRAGMA secure_delete = OFF;
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)
INSERT INTO t SELECT i, CAST(printf('%0700d', i) AS BLOB) FROM c;
DELETE FROM t WHERE id % 2;
PRAGMA freelist_count;
PRAGMA secure_delete = ON;
DELETE FROM t WHERE id % 4 = 0;
PRAGMA secure_delete = FAST;
DELETE FROM t WHERE id % 3 = 0;
PRAGMA freelist_count;
SELECT count(*), sum(id) FROM t;
INSERT INTO t SELECT id + 5000, v FROM t;
--@ reopen
SELECT count(*), sum(id), sum(length(v)) FROM t;
PRAGMA integrity_check;
