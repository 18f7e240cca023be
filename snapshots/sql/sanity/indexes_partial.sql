-- Partial and expression indexes serve what they can, and stay true under change.
CREATE TABLE t(id INTEGER PRIMARY KEY, state TEXT, name TEXT, n INT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)
INSERT INTO t SELECT i, CASE i % 10 WHEN 0 THEN 'open' ELSE 'done' END, 'Name' || i, i % 17 FROM c;
CREATE INDEX t_open ON t(n) WHERE state = 'open';
CREATE INDEX t_lower ON t(lower(name));
CREATE UNIQUE INDEX t_one ON t(n) WHERE state = 'only';
EXPLAIN QUERY PLAN SELECT id FROM t WHERE state = 'open' AND n = 3;
SELECT group_concat(id) FROM (SELECT id FROM t WHERE state = 'open' AND n = 3 ORDER BY id);
EXPLAIN QUERY PLAN SELECT id FROM t WHERE lower(name) = 'name77';
SELECT id FROM t WHERE lower(name) = 'name77';
UPDATE t SET state = 'done' WHERE id = 20;
UPDATE t SET state = 'only' WHERE id IN (1, 2);
UPDATE t SET state = 'only' WHERE id = 18;
SELECT count(*) FROM t WHERE state = 'open';
CREATE INDEX bad ON t(random());
DROP INDEX t_open;
REINDEX t;
PRAGMA integrity_check;
