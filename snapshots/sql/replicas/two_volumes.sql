-- Two volumes in one repository do not touch each other; one connection attaches both.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/one
CREATE TABLE t(v TEXT);
INSERT INTO t VALUES ('one');
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/two
CREATE TABLE t(v TEXT);
INSERT INTO t VALUES ('two');
PRAGMA graft_push;
--@ open c c.db?remote=file://$DIR/remote/one
ATTACH 'file:$DIR/d.db?vfs=graft&remote=file://$DIR/remote/two' AS two;
SELECT main.t.v, two.t.v FROM main.t, two.t;
INSERT INTO two.t VALUES ('more');
PRAGMA two.graft_push;
PRAGMA graft_push;
--@ on b
PRAGMA graft_pull;
SELECT * FROM t;
--@ on a
PRAGMA graft_pull;
