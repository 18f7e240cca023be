-- A database is pushed to an empty directory, and a second replica answers from it.
--@ vfs graft
--@ mask [0-9a-f]{32} ID
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO t VALUES (1, 'one'), (2, 'two');
SELECT volume, remote, local_lsn, remote_lsn, ahead, behind, state, pages, pages_held, last_error FROM graft_status;
PRAGMA graft_push;
PRAGMA graft_push;
SELECT volume, remote, local_lsn, remote_lsn, ahead, behind, state, pages, pages_held, last_error FROM graft_status;
--@ open b b.db?remote=file://$DIR/remote/app
SELECT * FROM t;
SELECT volume, remote, remote_lsn, ahead, behind, state, pages, last_error FROM graft_status;
PRAGMA graft_pull;
PRAGMA integrity_check;
