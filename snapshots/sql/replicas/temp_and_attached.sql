-- A transaction over two replicas commits in both; each is pushed by itself.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/one
ATTACH 'file:$DIR/b.db?vfs=graft&remote=file://$DIR/remote/two' AS b;
CREATE TABLE main.t(v INT);
CREATE TABLE b.t(v INT);
BEGIN;
INSERT INTO main.t VALUES (1);
INSERT INTO b.t VALUES (2);
COMMIT;
PRAGMA main.graft_push;
PRAGMA b.graft_push;
CREATE TEMP TABLE both AS SELECT v FROM main.t UNION ALL SELECT v FROM b.t;
SELECT * FROM both;
SELECT local_lsn, ahead, state FROM graft_status('main');
SELECT local_lsn, ahead, state FROM graft_status('b');
--@ open c c.db?remote=file://$DIR/remote/two
SELECT * FROM t;
