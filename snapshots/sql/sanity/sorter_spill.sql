-- A sort and a distinct larger than the cache go through temporary files.
PRAGMA cache_size = 10;
CREATE TABLE t(a INT, b TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000)
INSERT INTO t SELECT i * 7919 % 20011, printf('%080d', i) FROM c;
SELECT a, substr(b, -5) FROM t ORDER BY b DESC, a LIMIT 3;
SELECT count(*) FROM (SELECT DISTINCT b FROM t);
SELECT a FROM (SELECT a, row_number() OVER (ORDER BY a) AS r FROM t) WHERE r IN (1, 10000, 20000);
CREATE INDEX t_b ON t(b, a);
SELECT count(*) FROM t AS x JOIN t AS y ON x.b = y.b WHERE x.a > 19000;
PRAGMA temp_store = FILE;
SELECT sum(a) FROM (SELECT a FROM t ORDER BY b LIMIT 5000);
PRAGMA integrity_check;
