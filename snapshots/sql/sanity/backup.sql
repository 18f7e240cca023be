-- The backup API copies in and out, page by page.
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)
INSERT INTO t SELECT i, printf('value %d', i) FROM c;
--@ open plain plain.db?vfs=unix
--@ backup main plain
SELECT count(*), max(v) FROM t;
INSERT INTO t(v) VALUES ('from the plain file');
--@ open second second.db
--@ backup plain second
SELECT count(*) FROM t;
--@ on second
SELECT count(*), (SELECT v FROM t WHERE id = 1001) FROM t;
PRAGMA integrity_check;
--@ backup second main
--@ on main
SELECT count(*) FROM t;
PRAGMA integrity_check;
