-- The remote goes away under a lazy replica: what is held reads, the rest is an error, and all is well when it is back.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000)
INSERT INTO t SELECT i, printf('%0100d', i) FROM c;
CREATE TABLE small(v);
INSERT INTO small VALUES ('held');
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
PRAGMA graft_prefetch = off;
SELECT v FROM small;
--@ copy remote elsewhere
--@ remove remote
SELECT v FROM small;
SELECT count(*), sum(length(v)) FROM t;
PRAGMA graft_pull;
INSERT INTO small VALUES ('offline');
SELECT v FROM small;
--@ copy elsewhere remote
SELECT count(*), sum(length(v)) FROM t;
PRAGMA graft_push;
PRAGMA integrity_check;
