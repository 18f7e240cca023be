-- Two replicas write in turn; each pull brings what the other pushed.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO t(v) VALUES ('from a');
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
INSERT INTO t(v) VALUES ('from b');
PRAGMA graft_push;
--@ on a
SELECT * FROM t;
PRAGMA graft_fetch;
SELECT ahead, behind, state FROM graft_status;
PRAGMA graft_pull;
SELECT * FROM t;
UPDATE t SET v = v || ' and a' WHERE id = 2;
DELETE FROM t WHERE id = 1;
CREATE INDEX t_v ON t(v);
PRAGMA graft_push;
--@ on b
PRAGMA graft_pull;
SELECT * FROM t INDEXED BY t_v ORDER BY v;
SELECT remote_lsn, ahead, behind, state FROM graft_status;
PRAGMA integrity_check;
