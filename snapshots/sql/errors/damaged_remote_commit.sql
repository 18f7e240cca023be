-- A commit of the remote that was flipped, cut or emptied is refused by name; the replica keeps what it had.
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
--@ copy remote good
--@ on b
--@ log on
--@ flip remote/app/l/* 40
PRAGMA graft_pull;
SELECT * FROM t;
--@ flip remote/app/l/* 40
--@ flip remote/app/l/* 0
PRAGMA graft_pull;
--@ flip remote/app/l/* 0
--@ truncate remote/app/l/* 30
PRAGMA graft_pull;
--@ truncate remote/app/l/* 0
PRAGMA graft_pull;
--@ log off
--@ open c c.db?remote=file://$DIR/remote/app
SELECT * FROM t;
--@ on b
INSERT INTO t VALUES ('local');
SELECT * FROM t;
PRAGMA graft_push;
--@ copy good remote
PRAGMA graft_push;
PRAGMA graft_reset;
SELECT * FROM t;
--@ on c
SELECT * FROM t;
