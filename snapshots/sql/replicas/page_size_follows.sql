-- A replica takes the page size of its volume, whatever it was opened with.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app&page_size=16384
CREATE TABLE t(v TEXT);
INSERT INTO t VALUES ('big pages');
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
SELECT v FROM t;
PRAGMA page_size;
INSERT INTO t VALUES ('from b');
PRAGMA graft_push;
--@ on a
PRAGMA graft_pull;
SELECT v FROM t;
--@ open small s.db?remote=file://$DIR/remote/small&page_size=512
CREATE TABLE t(v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)
INSERT INTO t SELECT printf('%0100d', i) FROM c;
PRAGMA graft_push;
--@ open small2 s2.db?remote=file://$DIR/remote/small
PRAGMA page_size;
SELECT count(*), max(v) FROM t;
PRAGMA page_size;
PRAGMA integrity_check;
