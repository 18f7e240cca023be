-- A new replica copies nothing: a point query fetches a few pages of many, hydrate the rest.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i, x) AS (SELECT 0, 1 UNION ALL SELECT i + 1, (x * 1103515245 + 12345) % 2147483648 FROM c WHERE i < 200000)
INSERT INTO t SELECT i / 400, group_concat(printf('%08x', x), '') FROM c GROUP BY i / 400;
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
PRAGMA graft_prefetch = off;
SELECT length(v), substr(v, 1, 16) FROM t WHERE id = 345;
SELECT pages > 500, pages_held < pages / 20 FROM graft_status;
SELECT count(*) = (SELECT pages FROM graft_status) FROM graft_pages;
SELECT DISTINCT state FROM graft_pages ORDER BY 1;
SELECT min(lsn), max(lsn) FROM graft_pages;
SELECT max(id) FROM t;
SELECT pages_held < pages / 20 FROM graft_status;
SELECT count(*), sum(id), sum(length(v)) FROM t WHERE id < 100;
SELECT pages_held BETWEEN pages / 6 AND pages / 3 FROM graft_status;
UPDATE t SET v = 'short' WHERE id = 200;
SELECT pages_held < pages / 3 FROM graft_status;
PRAGMA graft_push;
PRAGMA graft_hydrate;
PRAGMA graft_hydrate;
SELECT pages - pages_held FROM graft_status;
SELECT count(*), sum(id), sum(length(v)) FROM t;
PRAGMA integrity_check;
