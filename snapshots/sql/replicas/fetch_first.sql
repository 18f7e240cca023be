-- A replica whose first contact was a fetch, or failed, still meets its remote before it reads.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(v TEXT);
INSERT INTO t VALUES ('first');
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
PRAGMA graft_fetch;
PRAGMA graft_status;
SELECT * FROM t;
--@ copy remote good
--@ truncate remote/app/l/* 0
--@ open c c.db?remote=file://$DIR/remote/app
SELECT * FROM t;
INSERT INTO t VALUES ('too early');
--@ copy good remote
SELECT * FROM t;
INSERT INTO t VALUES ('second');
PRAGMA graft_push;
--@ on b
PRAGMA graft_pull;
SELECT * FROM t;
