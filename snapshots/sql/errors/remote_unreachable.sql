-- A remote whose place is a file, or cannot be written, is out of reach; nothing is lost by it.
--@ vfs graft
--@ unprivileged
--@ write blocked 'a file where a directory should be'
--@ mkdir locked
--@ chmod locked 555
--@ open a a.db?remote=file://$DIR/blocked/app
--@ log on
CREATE TABLE t(v INT);
PRAGMA graft_push;
PRAGMA graft_fetch;
PRAGMA graft_status;
--@ log off
--@ remove blocked
CREATE TABLE t(v INT);
INSERT INTO t VALUES (1);
PRAGMA graft_push;
SELECT * FROM t;
--@ open b b.db
CREATE TABLE t(v INT);
INSERT INTO t VALUES (2);
PRAGMA graft_remote = 'file://$DIR/locked/app';
--@ log on
PRAGMA graft_push;
--@ log off
SELECT * FROM t;
SELECT ahead, state, last_error <> '' FROM graft_status;
--@ chmod locked 755
PRAGMA graft_push;
SELECT ahead, state FROM graft_status;
