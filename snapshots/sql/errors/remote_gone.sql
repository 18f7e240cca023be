-- The remote goes away under a lazy replica: what is held reads, the rest is an error, and all is well when it is back.
--@ vfs graft
--@ mask '[0-9a-f]{32}' ID
--@ mask 'page [0-9]+' 'page N'
--@ mask 'segment at [0-9]+ [+] [0-9]+' 'segment at N'
--@ mask '[0-9]+ bytes at [0-9]+' 'N bytes at N'
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i, x) AS (SELECT 0, 1 UNION ALL SELECT i + 1, (x * 1103515245 + 12345) % 2147483648 FROM c WHERE i < 200000)
INSERT INTO t SELECT i / 400, group_concat(printf('%08x', x), '') FROM c GROUP BY i / 400;
CREATE TABLE small(v);
INSERT INTO small VALUES ('held');
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
PRAGMA graft_prefetch = off;
SELECT v FROM small;
--@ copy remote elsewhere
--@ remove remote
SELECT v FROM small;
--@ log on
SELECT count(*), sum(length(v)) FROM t;
PRAGMA graft_pull;
PRAGMA graft_push;
--@ log off
PRAGMA graft_hydrate;
INSERT INTO small VALUES ('offline');
SELECT v FROM small;
SELECT last_error <> '' FROM graft_status;
--@ copy elsewhere remote
SELECT count(*), sum(length(v)) FROM t;
PRAGMA graft_push;
PRAGMA integrity_check;
