-- After hydrate everything is read without the remote, and written too; pushing waits for it.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000)
INSERT INTO t SELECT i, printf('%0100d', i) FROM c;
PRAGMA graft_push;
--@ close
--@ open b b.db?remote=file://$DIR/remote/app
PRAGMA graft_hydrate;
PRAGMA graft_hydrate;
SELECT pages - pages_held FROM graft_status;
--@ copy remote elsewhere
--@ remove remote
--@ reopen
SELECT count(*), sum(id), sum(length(v)) FROM t;
INSERT INTO t(v) VALUES ('offline');
SELECT max(id) FROM t;
PRAGMA integrity_check;
SELECT ahead, state FROM graft_status;
--@ copy elsewhere remote
PRAGMA graft_push;
SELECT ahead, state FROM graft_status;
--@ on a
--@ reopen
PRAGMA graft_pull;
SELECT v FROM t WHERE id = 5001;
