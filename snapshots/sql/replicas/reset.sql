-- Reset drops local commits only; without any it does nothing.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(v INT);
INSERT INTO t VALUES (1);
PRAGMA graft_push;
PRAGMA graft_reset;
--@ repeat 20 INSERT INTO t VALUES ($I + 100)
CREATE TABLE gone(v);
SELECT ahead FROM graft_status;
--@ open other a.db
SELECT count(*) FROM t;
--@ on a
PRAGMA graft_reset;
SELECT * FROM t;
SELECT * FROM gone;
SELECT ahead, state FROM graft_status;
--@ on other
SELECT * FROM t;
PRAGMA integrity_check;
--@ reopen
SELECT * FROM t;
