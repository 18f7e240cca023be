-- A remote whose place is a file, or cannot be written, is out of reach; local work goes on.
--@ vfs graft
--@ unprivileged
--@ write blocked 'a file where a directory should be'
--@ mkdir locked
--@ chmod locked 555
--@ log on
--@ open a a.db?remote=file://$DIR/blocked/app
--@ log off
CREATE TABLE t(v INT);
INSERT INTO t VALUES (1);
--@ log on
PRAGMA graft_push;
PRAGMA graft_fetch;
--@ log off
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
SELECT ahead, state, last_error FROM graft_status;
