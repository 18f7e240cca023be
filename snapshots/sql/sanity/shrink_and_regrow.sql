-- After a shrink and a regrowth no page shows what stood there before.
PRAGMA auto_vacuum = FULL;
PRAGMA secure_delete = OFF;
CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500)
INSERT INTO t SELECT i, CAST(printf('%04000d', i) AS BLOB) FROM c;
PRAGMA page_count;
DELETE FROM t WHERE id > 10;
PRAGMA page_count;
INSERT INTO t VALUES (1000, zeroblob(1500000));
PRAGMA page_count;
SELECT id, length(b), b = zeroblob(1500000) FROM (SELECT id, v AS b FROM t WHERE id = 1000);
--@ reopen
SELECT v = zeroblob(1500000) FROM t WHERE id = 1000;
SELECT count(*), sum(length(v)) FROM t;
PRAGMA integrity_check;
