-- A local database gets its remote afterwards, and remembers it.
--@ vfs graft
CREATE TABLE t(v INT);
INSERT INTO t VALUES (1);
PRAGMA graft_push;
PRAGMA graft_remote = 'file://$DIR/remote/app';
PRAGMA graft_remote;
PRAGMA graft_push;
PRAGMA graft_remote = 'file://$DIR/remote/other';
PRAGMA graft_remote = 'file://$DIR/remote/app';
--@ reopen
SELECT remote, remote_lsn, state FROM graft_status;
INSERT INTO t VALUES (2);
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
SELECT * FROM t;
--@ close
--@ open b2 b.db
SELECT remote, state FROM graft_status;
SELECT * FROM t;
