-- A commit written by a newer version is not read, and not called damaged.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(v TEXT);
INSERT INTO t VALUES ('first');
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
SELECT * FROM t;
--@ on a
INSERT INTO t VALUES ('second');
PRAGMA graft_push;
--@ flip remote/app/l/* 8
--@ on b
--@ log on
PRAGMA graft_pull;
SELECT * FROM t;
PRAGMA graft_push;
--@ log off
--@ flip remote/app/l/* 8
PRAGMA graft_pull;
SELECT * FROM t;
