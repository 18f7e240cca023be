-- Common table expressions, recursive ones among them, read and write.
WITH one AS (SELECT 1 AS x), two(y) AS (SELECT x + 1 FROM one) SELECT x, y FROM one, two;
CREATE TABLE edge(a INT, b INT);
INSERT INTO edge VALUES (1, 2), (2, 3), (3, 4), (4, 2), (9, 1);
WITH RECURSIVE reach(n) AS (SELECT 1 UNION SELECT b FROM edge JOIN reach ON a = n)
SELECT group_concat(n) FROM (SELECT n FROM reach ORDER BY n);
WITH RECURSIVE fib(i, p, q) AS (VALUES (0, 0, 1) UNION ALL SELECT i + 1, q, p + q FROM fib WHERE i < 80)
SELECT i, p FROM fib WHERE i IN (10, 50, 80);
WITH del AS MATERIALIZED (SELECT max(a) AS m FROM edge) DELETE FROM edge WHERE a = (SELECT m FROM del);
SELECT count(*) FROM edge;
WITH RECURSIVE
  xaxis(x) AS (VALUES (-2.0) UNION ALL SELECT x + 0.1 FROM xaxis WHERE x < 0.5),
  yaxis(y) AS (VALUES (-1.0) UNION ALL SELECT y + 0.25 FROM yaxis WHERE y < 1.0),
  m(iter, cx, cy, x, y) AS (
    SELECT 0, x, y, 0.0, 0.0 FROM xaxis, yaxis
    UNION ALL
    SELECT iter + 1, cx, cy, x * x - y * y + cx, 2.0 * x * y + cy FROM m
     WHERE (x * x + y * y) < 4.0 AND iter < 20),
  m2(iter, cx, cy) AS (SELECT max(iter), cx, cy FROM m GROUP BY cx, cy),
  a(t) AS (SELECT group_concat(substr('.+*#', 1 + min(iter / 6, 3), 1), '') FROM m2 GROUP BY cy)
SELECT t FROM a;
WITH RECURSIVE endless(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM endless) SELECT n FROM endless LIMIT 3 OFFSET 4;
