-- An empty remote is an empty volume; it becomes one by the first push.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
SELECT count(*) FROM sqlite_schema;
PRAGMA graft_pull;
PRAGMA graft_fetch;
PRAGMA graft_push;
SELECT local_lsn, remote_lsn, pages, state FROM graft_status;
--@ open b b.db?remote=file://$DIR/remote/app
CREATE TABLE t(v);
PRAGMA graft_push;
--@ on a
PRAGMA graft_pull;
SELECT name FROM sqlite_schema;
