-- Three replicas; the third comes late, falls behind by several commits, and catches up at once.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(who TEXT, n INT);
INSERT INTO t VALUES ('a', 1);
PRAGMA graft_push;
--@ open c c.db?remote=file://$DIR/remote/app
SELECT * FROM t;
--@ open b b.db?remote=file://$DIR/remote/app
INSERT INTO t VALUES ('b', 2);
PRAGMA graft_push;
INSERT INTO t VALUES ('b', 3);
PRAGMA graft_push;
--@ on a
PRAGMA graft_pull;
INSERT INTO t VALUES ('a', 4);
PRAGMA graft_push;
--@ on c
SELECT * FROM t;
PRAGMA graft_fetch;
SELECT behind, state FROM graft_status;
SELECT * FROM t;
PRAGMA graft_pull;
SELECT * FROM t;
SELECT lsn, side, pages > 0 FROM graft_log;
