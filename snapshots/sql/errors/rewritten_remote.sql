-- A remote that was put back to an older state, and then written anew, is noticed and not taken for the truth.
--@ vfs graft
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
--@ log off
--@ open b b.db?remote=file://$DIR/remote/app
SELECT * FROM t;
INSERT INTO t VALUES ('another second');
PRAGMA graft_push;
--@ on a
PRAGMA graft_pull;
PRAGMA graft_fetch;
SELECT * FROM t;
--@ on b
INSERT INTO t VALUES ('third');
PRAGMA graft_push;
--@ on a
PRAGMA graft_pull;
SELECT * FROM t;
PRAGMA integrity_check;
