-- A vacuumed, smaller database replaces the larger one on the other replica.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500)
INSERT INTO t SELECT i, CAST(printf('%03000d', i) AS BLOB) FROM c;
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
SELECT count(*), sum(length(v)) FROM t;
PRAGMA page_count;
--@ on a
DELETE FROM t WHERE id > 20;
VACUUM;
PRAGMA page_count;
PRAGMA graft_push;
--@ on b
PRAGMA graft_pull;
PRAGMA page_count;
SELECT count(*), sum(length(v)) FROM t;
INSERT INTO t VALUES (1000, zeroblob(1000000));
PRAGMA page_count;
PRAGMA graft_push;
--@ on a
PRAGMA graft_pull;
SELECT count(*), sum(length(v)), (SELECT v = zeroblob(1000000) FROM t WHERE id = 1000) FROM t;
PRAGMA integrity_check;
--@ open c c.db?remote=file://$DIR/remote/app
SELECT count(*), sum(length(v)), (SELECT v = zeroblob(1000000) FROM t WHERE id = 1000) FROM t;
PRAGMA integrity_check;
