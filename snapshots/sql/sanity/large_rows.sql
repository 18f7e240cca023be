-- Rows over many overflow pages, changed in the middle, across page boundaries.
CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 40)
INSERT INTO t SELECT i, printf('%0*d', i * 997, i), printf('%0*d', 40000 - i * 997, i) FROM c;
SELECT count(*), sum(length(a)), sum(length(b)) FROM t;
UPDATE t SET a = b, b = a WHERE id % 2 = 0;
UPDATE t SET a = substr(a, 1, 10) WHERE id % 5 = 0;
SELECT id, length(a), length(b) FROM t WHERE id BETWEEN 8 AND 12;
DELETE FROM t WHERE id % 3 = 0;
SELECT count(*), sum(length(a)), sum(length(b)) FROM t;
--@ reopen
SELECT count(*), sum(length(a)), sum(length(b)) FROM t;
PRAGMA integrity_check;
PRAGMA page_count;
