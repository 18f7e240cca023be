-- After hydrate everything is read without the remote, and written too; pushing waits for it.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i, x) AS (SELECT 0, 1 UNION ALL SELECT i + 1, (x * 1103515245 + 12345) % 2147483648 FROM c WHERE i < 200000)
INSERT INTO t SELECT i / 400, group_concat(printf('%08x', x), '') FROM c GROUP BY i / 400;
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
PRAGMA graft_push;
SELECT ahead, state FROM graft_status;
--@ copy elsewhere remote
PRAGMA graft_push;
SELECT ahead, state FROM graft_status;
--@ on a
--@ reopen
PRAGMA graft_pull;
SELECT v FROM t WHERE id = 501;
