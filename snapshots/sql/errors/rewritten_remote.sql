-- A remote that was put back to an older state is noticed, not taken for the truth.
--@ vfs graft
--@ mask [0-9a-f]{32} ID
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(v TEXT);
INSERT INTO t VALUES ('first');
PRAGMA graft_push;
--@ copy remote older
INSERT INTO t VALUES ('second');
PRAGMA graft_push;
--@ remove remote
--@ copy older remote
--@ log on
PRAGMA graft_fetch;
PRAGMA graft_pull;
INSERT INTO t VALUES ('third');
PRAGMA graft_push;
--@ log off
SELECT * FROM t;
--@ open b b.db?remote=file://$DIR/remote/app
SELECT * FROM t;
INSERT INTO t VALUES ('another second');
PRAGMA graft_push;
--@ on a
--@ log on
PRAGMA graft_pull;
PRAGMA graft_push;
--@ log off
SELECT * FROM t;
