-- A remote that holds another volume than the replica came from is not touched.
--@ vfs graft
--@ mask [0-9a-f]{32} ID
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(v);
INSERT INTO t VALUES ('a');
PRAGMA graft_push;
--@ open b b.db
CREATE TABLE t(v);
INSERT INTO t VALUES ('b');
PRAGMA graft_remote = 'file://$DIR/remote/app';
--@ log on
PRAGMA graft_push;
PRAGMA graft_pull;
PRAGMA graft_fetch;
--@ log off
SELECT * FROM t;
--@ open c c.db?remote=file://$DIR/remote/app
SELECT * FROM t;
