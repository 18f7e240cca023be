-- ANALYZE writes statistics that the planner reads after a reopen.
CREATE TABLE t(a INT, b INT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000)
INSERT INTO t SELECT i, i % 3 FROM c;
CREATE INDEX t_a ON t(a);
CREATE INDEX t_b ON t(b);
ANALYZE;
SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY idx;
--@ reopen
EXPLAIN QUERY PLAN SELECT * FROM t WHERE a = 5 AND b = 1;
SELECT * FROM t WHERE a = 5 AND b = 2;
PRAGMA optimize;
