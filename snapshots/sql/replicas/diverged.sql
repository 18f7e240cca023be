-- Both sides moved: push and pull refuse, nothing is lost; reset follows the remote.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
SELECT count(*) FROM t;
INSERT INTO t VALUES (1, 'b first');
PRAGMA graft_push;
--@ on a
INSERT INTO t VALUES (1, 'a second'), (2, 'a only');
--@ log on
PRAGMA graft_push;
PRAGMA graft_pull;
--@ log off
SELECT * FROM t;
SELECT ahead, behind, state FROM graft_status;
SELECT last_error FROM graft_status;
PRAGMA graft_push;
PRAGMA graft_reset;
SELECT * FROM t;
SELECT ahead, behind, state FROM graft_status;
INSERT INTO t VALUES (2, 'a again');
PRAGMA graft_push;
--@ on b
PRAGMA graft_pull;
SELECT * FROM t;
PRAGMA integrity_check;
