-- A replica on less disk than its volume: everything can be read and written, held is what fits.
--@ vfs graft
--@ open one one.graft?remote=file://$DIR/repo/app
CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
  INSERT INTO t SELECT i, randomblob(800) FROM n;
PRAGMA graft_push;
--@ open two two.graft?remote=file://$DIR/repo/app&cache_limit=256K
PRAGMA graft_cache_limit;
SELECT count(*), sum(length(body)) FROM t;
SELECT pages > 400, pages_held <= 64 FROM graft_status;
SELECT value > 300 FROM graft_stats WHERE name = 'evicted';
--@ mask '[0-9]+ pages of' 'N pages of'
PRAGMA graft_hydrate;
UPDATE t SET body = zeroblob(800) WHERE id % 2 = 0;
SELECT count(*), sum(body = zeroblob(800)) FROM t;
PRAGMA integrity_check;
PRAGMA graft_push;
PRAGMA graft_cache_limit = 0;
--@ mask 'fetched [0-9]+ pages' 'fetched N pages'
PRAGMA graft_hydrate;
SELECT pages = pages_held FROM graft_status;
--@ on one
PRAGMA graft_pull;
SELECT count(*), sum(body = zeroblob(800)) FROM t;
