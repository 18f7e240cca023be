-- Grouping, having, filters and the order of what group_concat sees.
CREATE TABLE t(g TEXT, n INT, f REAL);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)
INSERT INTO t SELECT char(97 + i % 5), i, i / 8.0 FROM c;
SELECT g, count(*), sum(n), min(n), max(n), avg(n), total(f) FROM t GROUP BY g ORDER BY g;
SELECT g, sum(n) AS s FROM t GROUP BY g HAVING s > 100100 ORDER BY s DESC;
SELECT count(*) FILTER (WHERE n % 2 = 0), count(DISTINCT g), sum(DISTINCT n % 7) FROM t;
SELECT group_concat(g, '-') FROM (SELECT DISTINCT g FROM t ORDER BY g DESC);
SELECT g, n FROM t ORDER BY n % 10 DESC, n LIMIT 3 OFFSET 2;
SELECT sum(n), count(n), avg(n), max(n) FROM t WHERE n < 0;
