-- A replica opened with mode=ro reads what it held; it writes nothing.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(v INT);
INSERT INTO t VALUES (1);
PRAGMA graft_push;
--@ open ro a.db?mode=ro
SELECT * FROM t;
INSERT INTO t VALUES (2);
PRAGMA graft_push;
PRAGMA graft_pull;
--@ on a
INSERT INTO t VALUES (3);
--@ on ro
SELECT * FROM t;
SELECT local_lsn, ahead FROM graft_status;
