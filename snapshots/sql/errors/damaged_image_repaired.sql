-- A rotten page that the remote holds is fetched again.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000)
INSERT INTO t SELECT i, printf('%0100d', i) FROM c;
PRAGMA graft_push;
--@ close
--@ flip a.db/image 122900
--@ flip a.db/image 8200
--@ flip a.db/image 30
--@ reopen
SELECT count(*), sum(length(v)) FROM t;
PRAGMA integrity_check;
SELECT value FROM graft_stats WHERE name = 'repairs';
--@ reopen
SELECT count(*), sum(length(v)) FROM t;
SELECT value FROM graft_stats WHERE name = 'repairs';
