-- A new replica copies nothing: a point query fetches a few pages of many, hydrate the rest.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000)
INSERT INTO t SELECT i, printf('%0100d', i) FROM c;
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
PRAGMA graft_prefetch = off;
SELECT substr(v, -5) FROM t WHERE id = 12345;
SELECT pages > 500, pages_held < pages / 20 FROM graft_status;
SELECT count(*) = (SELECT pages FROM graft_status) FROM graft_pages;
SELECT count(DISTINCT state) FROM graft_pages;
SELECT count(*), sum(id), sum(length(v)) FROM t;
SELECT pages - pages_held FROM graft_status;
PRAGMA graft_hydrate;
PRAGMA integrity_check;
