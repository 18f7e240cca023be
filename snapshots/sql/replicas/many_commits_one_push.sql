-- Many local commits become one remote commit, with the last version of each page.
--@ vfs graft
--@ mask [0-9a-f]{32} ID
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v INT);
--@ repeat 60 INSERT INTO t VALUES ($I, 0)
--@ repeat 60 UPDATE t SET v = v + $I WHERE id = $I
SELECT local_lsn, ahead FROM graft_status;
PRAGMA graft_push;
SELECT lsn, side, pages, hash FROM graft_log;
UPDATE t SET v = -1 WHERE id = 30;
SELECT side, count(*), sum(pages) FROM graft_log GROUP BY side ORDER BY side;
PRAGMA graft_push;
SELECT lsn, side, pages, hash FROM graft_log;
--@ open b b.db?remote=file://$DIR/remote/app
SELECT count(*), sum(v), min(v) FROM t;
SELECT lsn, side, pages FROM graft_log;
